package exec_test

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
)

// The example in C shows that the ABI needs nothing of Go in the guest.
func TestGuestInC(t *testing.T) {
	for _, tool := range []string{"clang", "wasm-ld"} {
		if _, err := osexec.LookPath(tool); err != nil {
			t.Skipf("%s is not on PATH (on Debian: apt-get install clang lld): the guest in C is not built", tool)
		}
	}
	out := filepath.Join(t.TempDir(), "square.wasm")
	source := filepath.FromSlash("../../examples/csquare/square.c")
	build := osexec.CommandContext(t.Context(), "clang", "--target=wasm32", "-O2", "-Wall", "-Werror", "-nostdlib", "-Wl,--no-entry", "-o", out, source)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, exec.Options{})
	info, err := b.Inspect(t.Context(), wasm)
	if err != nil || len(info.Functions) != 2 {
		t.Fatalf("%+v, %v", info, err)
	}
	hash, lib := b.modules.put(wasm), newState(b)
	f := func(name string) mesh.FuncInfo {
		return mesh.FuncInfo{Ref: ref(name), Kind: mesh.Wasm, Module: hash}
	}
	for in, want := range map[int]int{0: 0, 12: 144, -3: 9, 999999999: 999999998000000001} {
		if got, err := call[int](t.Context(), b, f("csquare"), lib, in); err != nil || got != want {
			t.Errorf("csquare(%d) gave %d, %v; expected %d", in, got, err, want)
		}
	}
	_, err = call[int](t.Context(), b, f("csquare"), lib, 1.5)
	wantError(t, err, mesh.Invalid, "expected a whole number")
	_, err = call[int](t.Context(), b, f("csquare"), lib)
	wantError(t, err, mesh.Invalid, "expected 1 argument")
	for want := 1; want <= 3; want++ {
		if got, err := call[int](t.Context(), b, f("visits"), lib); err != nil || got != want {
			t.Errorf("visits gave %d, %v; expected %d", got, err, want)
		}
	}
	_, err = call[int](t.Context(), b, f("csquare"), lib, make([]int, 5000))
	wantError(t, err, mesh.UserError, "no room for arguments")
}
