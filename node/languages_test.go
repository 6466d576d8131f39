package node_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestFunctionsInC(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 3})
	tour(t, m, ofC(t, "../examples/ctour/tour.c"))
	author := dial(t, m)
	square := ofC(t, "../examples/csquare/square.c")
	for _, name := range []string{"csquare", "visits"} {
		deployModule(t, author, name, square)
	}
	for in, want := range map[int]int{0: 0, 12: 144, -3: 9, 999999999: 999999998000000001} {
		got, err := call[int](t, at(m, 1), "csquare", in)
		wants(t, "csquare", got, err, want)
	}
	_, err := call[int](t, author, "csquare", 1.5)
	wantsError(t, "csquare(1.5)", err, mesh.Invalid, "argument 1: expected a whole number")
	_, err = call[int](t, author, "csquare")
	wantsError(t, "csquare()", err, mesh.Invalid, "expected 1 argument")
}

func TestFunctionsInAssemblyScript(t *testing.T) {
	tour(t, start(t, simmesh.Options{Nodes: 3}), ofAssemblyScript(t, "../examples/astour/tour.ts"))
}

func TestAGoGuestReadsAndWritesInPieces(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	deploy(t, dial(t, m), "copy", guestModule, "")
	tourPieces(t, at(m, 0))
}

// ofC builds a guest in C, or skips the test.
func ofC(t *testing.T, source string) []byte {
	t.Helper()
	for _, tool := range []string{"clang", "wasm-ld"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not on PATH (on Debian: apt-get install clang lld): the guest in C is not built", tool)
		}
	}
	return builtBy(t, func(out string) *exec.Cmd {
		return exec.CommandContext(within(t, time.Minute), "clang", "--target=wasm32", "-mbulk-memory", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
			"-nostdlib", "-Wl,--no-entry", "-I", filepath.FromSlash("../sdk/c"), "-o", out, filepath.FromSlash(source))
	})
}

// ofAssemblyScript builds a guest in AssemblyScript, or skips the test.
func ofAssemblyScript(t *testing.T, source string) []byte {
	t.Helper()
	library := filepath.FromSlash("../sdk/assemblyscript")
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH (on Debian: apt-get install nodejs npm): the guest in AssemblyScript is not built")
	}
	if _, err := os.Stat(filepath.Join(library, "node_modules", "assemblyscript")); err != nil {
		t.Skipf("the compiler is not there (cd sdk/assemblyscript && npm ci): the guest in AssemblyScript is not built")
	}
	return builtBy(t, func(out string) *exec.Cmd {
		return exec.CommandContext(within(t, 2*time.Minute), filepath.Join(library, "build"), filepath.FromSlash(source), out)
	})
}

func builtBy(t *testing.T, compiler func(out string) *exec.Cmd) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	if text, err := compiler(out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func deployModule(t *testing.T, c *sdk.Client, name string, wasm []byte) {
	t.Helper()
	if _, err := c.Deploy(within(t, firstCompile), name, wasm, sdk.DeployOptions{}); err != nil {
		t.Fatalf("deploy %s: %v", name, err)
	}
}

// tour goes through the example that each language has of its library.
func tour(t *testing.T, m *simmesh.Mesh, wasm []byte) {
	t.Helper()
	author := dial(t, m, 0)
	for _, name := range []string{"visit", "forget", "get", "kinds", "relay", "compose", "composeLater", "later", "greet", "where", "copy", "mean"} {
		deployModule(t, author, name, wasm)
	}
	tourState(t, at(m, 1))
	tourKinds(t, at(m, 0))
	tourFunctions(t, m)
	tourValues(t, at(m, 2))
	tourPieces(t, at(m, 0))
}

// tourPieces copies values of several pieces, or none.
func tourPieces(t *testing.T, c *sdk.Client) {
	t.Helper()
	for _, size := range []int{0, 1, 100_000, 3<<20 + 1} {
		want := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, size/7+1)[:size]
		if _, err := sdk.Put(within(t, time.Minute), c, "large", want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Call(within(t, time.Minute), "copy", "large")
		if err != nil || !bytes.Equal(got.Data, want) || size > 0 && got.Format != mesh.Raw {
			t.Errorf("the copy of %d bytes is %v of %d bytes, %v", size, got.Format, len(got.Data), err)
		}
	}
	_, err := c.Call(within(t, time.Minute), "copy", "nosuch")
	wantsError(t, "the copy of no key", err, mesh.NotFound, "no such key")
}

// tourState asks one node throughout, which sees what it wrote.
func tourState(t *testing.T, c *sdk.Client) {
	t.Helper()
	for i, name := range []string{"ada", "bob", "ada"} {
		got, err := call[int](t, c, "visit", name)
		wants(t, "visit", got, err, i+1)
	}
	wantsPlain(t, c, "visitors", `["ada","bob"]`)
	wantsPlain(t, c, "last", `{"name":"ada","visits":3}`)
	_, err := call[int](t, c, "visit", 7)
	wantsError(t, "visit(7)", err, mesh.Invalid, "expected a name")
	if _, err := call[any](t, c, "forget", "last"); err != nil {
		t.Error(err)
	}
	_, err = call[any](t, c, "get", "last")
	wantsError(t, "a key that is gone", err, mesh.NotFound, "no such key")
}

func tourKinds(t *testing.T, c *sdk.Client) {
	t.Helper()
	if _, err := call[any](t, c, "kinds"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"bool": `true`, "flag": `false`, "max": `7`, "min": `-1.25`, "latest": `"z"`,
		"set": `["a","b",2,1.5]`, "ordered-set": `[-1000000]`, "or-set": `["a","b",2]`,
		"gcounter": `5`, "pncounter": `-300`, "lww": `["b",2,"a",2,1.5]`, "priority": `"first"`,
		"causal": `"c"`, "multi-causal": `"m"`, "mv-register": `true`, "map": `{"n":2}`, "or-map": `{"a":"v"}`,
	} {
		wantsPlain(t, c, "k/"+name, want)
	}
	clock, err := c.Get(within(t, time.Minute), "k/clock")
	if err != nil || clock.Clock().At("w") != 3 || clock.Clock().Len() != 2 {
		t.Errorf("the clock holds %v, %v; want w:3 and an event of a node", clock, err)
	}
	if err := sdk.ORSet[any](c, "k/or-set").Remove(within(t, time.Minute), 2, "a"); err != nil {
		t.Error(err)
	}
	wantsPlain(t, c, "k/or-set", `["b"]`) // what is equal in Go is equal here
}

func tourFunctions(t *testing.T, m *simmesh.Mesh) {
	t.Helper()
	for _, by := range []string{"relay", "later"} {
		got, err := call[float64](t, at(m, 1), by, "mean", []float64{1, 2, 6})
		wants(t, by, got, err, 3)
		_, err = call[any](t, at(m, 1), by, "mean", "x")
		wantsError(t, by+" of a function that fails", err, mesh.Invalid, "array of numbers")
		_, err = call[any](t, at(m, 1), by, "nosuch")
		wantsError(t, by+" of no function", err, mesh.NotFound, "nosuch")
	}
	create(t, at(m, 0), dag("middle", "mean", ""))
	for _, by := range []string{"compose", "composeLater"} {
		got, err := call[float64](t, at(m, 1), by, "middle", "mean", []float64{1, 2, 6})
		wants(t, by, got, err, 3)
		_, err = call[any](t, at(m, 1), by, "middle", "nosuch", 1)
		wantsError(t, by+" with an argument of no stage", err, mesh.Invalid, "nosuch")
	}
	got, err := call[string](t, at(m, 2), "greet", "hello")
	wants(t, "greet", got, err, "hello")
	about, err := call[[]any](t, at(m, 0), "where")
	if err != nil || len(about) != 4 {
		t.Fatalf("where gave %v, %v", about, err)
	}
	id, err := mesh.ParseInvocationID(about[0].(string))
	if err != nil || about[1] != id.Run.String() || about[2] != mesh.DefaultNamespace || about[3] != true {
		t.Errorf("where gave %v, %v", about, err)
	}
}

// tourValues sends values through greet, which answers with what it was given, and through mean, which reads them.
func tourValues(t *testing.T, c *sdk.Client) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, v := range []any{nil, true, -1, 1 << 40, 1.5, 1e300, "", "é", strings.Repeat("x", 5000), large, []any{"a", map[string]any{"b": []byte{1}}}} {
		want, err := codec.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Call(within(t, time.Minute), "greet", v)
		if err != nil || got.Format != want.Format || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%.50v came back as %v of %d bytes, %v", v, got.Format, len(got.Data), err)
		}
	}
	for _, f := range []float64{0, 1.5, -2, 65504, 65536, 6e-8, 5.9604644775390625e-08, 3.0517578125e-05, 6.097555160522461e-05, 0.1, 1e-300, 16777217, 3.4028234663852886e+38, -1.7e308} {
		want, err := codec.Encode([]float64{f})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Call(within(t, time.Minute), "mean", []float64{f})
		if err != nil || got.Format != mesh.CBOR || !bytes.Equal(got.Data, want.Data[1:]) {
			t.Errorf("the mean of %v is %x, %v; want %x", f, got.Data, err, want.Data[1:])
		}
	}
	none, err := c.Call(within(t, time.Minute), "mean", []float64{})
	if err != nil || !none.IsZero() {
		t.Errorf("the mean of nothing is %v, %v", none, err)
	}
}

// wantsPlain fails the test unless a key holds what want says in JSON.
func wantsPlain(t *testing.T, c *sdk.Client, name, want string) {
	t.Helper()
	state, err := c.Get(within(t, time.Minute), name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	plain, err := fn.Plain(state)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got, err := codec.ToJSON(plain, ""); err != nil || string(got) != want {
		t.Errorf("%s holds %s, %v; want %s", name, got, err, want)
	}
}
