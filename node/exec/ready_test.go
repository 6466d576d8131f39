package exec_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
)

// answering is a module whose function f answers with nothing; others differ by n.
func answering(n int64) []byte {
	w := guestOf(i64Const(512<<32 | 1)...)
	w.functions = append(w.functions, watFunction{name: "n", results: []byte{i32}, code: i32Const(n)})
	return w.assemble()
}

func TestAnExecutorBeginsWithTheModulesOfTheLastOne(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "ready")
	first := start(t, exec.Options{ReadyDir: folder})
	var hashes []string
	for n := range int64(3) {
		info, err := first.Inspect(t.Context(), answering(n))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, info.Hash)
	}
	if err := os.WriteFile(filepath.Join(folder, hashes[2]), []byte("\x00asm damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := start(t, exec.Options{ReadyDir: folder})
	second.Settle()
	warm := second.Warm()
	slices.Sort(warm)
	if want := slices.Sorted(slices.Values(hashes[:2])); !slices.Equal(warm, want) {
		t.Errorf("it begins with %v, expected %v", warm, want)
	}
	f := mesh.FuncInfo{Ref: ref("f"), Kind: mesh.Wasm, Module: hashes[0]}
	if _, err := second.Invoke(t.Context(), exec.Invocation{Func: f}); err != nil {
		t.Error(err)
	}
	if used, _ := second.Usage(f.Ref, time.Now()); used.ColdStarts != 0 {
		t.Errorf("the call was a cold start: %+v", used)
	}
	wantFiles(t, folder, append(hashes[:2:2], "notes")) // the damaged one came with the error that its source gave
}

func TestAModuleThatLeavesTheMemoryIsNotReadyAnyMore(t *testing.T) {
	folder := t.TempDir()
	b := start(t, exec.Options{ReadyDir: folder, CompiledModules: 1, Warm: exec.WarmPolicy{Idle: time.Minute}})
	old, err := b.Inspect(t.Context(), answering(0))
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, folder, []string{old.Hash})
	info, err := b.Inspect(t.Context(), answering(1))
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, folder, []string{info.Hash})
	now := time.Now()
	b.Tend(now, nil)
	b.Tend(now.Add(time.Hour), nil)
	wantFiles(t, folder, nil)
}

func wantFiles(t *testing.T, folder string, want []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("the folder has %v, expected %v", names, want)
	}
}
