package exec_test

import (
	"context"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func invoke(b *testing.B, e bench, inv exec.Invocation) {
	b.Helper()
	if _, err := e.Invoke(b.Context(), inv); err != nil { // compiles modules
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Invoke(b.Context(), inv); err != nil {
			b.Fatal(err)
		}
	}
}

func number(n int) []mesh.Value {
	v, err := codec.Encode(n)
	if err != nil {
		panic(err)
	}
	return []mesh.Value{v}
}

func BenchmarkNative(b *testing.B) {
	e := start(b, exec.Options{})
	square := native(b, e, "square", mesh.Limits{}, func(_ context.Context, x int) (int, error) { return x * x, nil })
	invoke(b, e, exec.Invocation{ID: mesh.InvocationID{Run: mesh.NewRunID()}, Func: square, Args: number(12)})
}

func BenchmarkGetInsideNative(b *testing.B) {
	e := start(b, exec.Options{})
	lib := newState(e)
	read := native(b, e, "read", mesh.Limits{}, func(ctx context.Context, n int) (int, error) {
		for b.Loop() {
			if _, err := fn.Get[string](ctx, "k"); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	put := native(b, e, "put", mesh.Limits{}, func(ctx context.Context, _ fn.None) (fn.None, error) {
		return fn.None{}, fn.Put(ctx, "k", strings.Repeat("x", 100))
	})
	if _, err := e.Invoke(b.Context(), exec.Invocation{Func: put, Library: lib}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	if _, err := e.Invoke(b.Context(), exec.Invocation{Func: read, Library: lib, Args: number(1)}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkWasmSquare(b *testing.B) {
	e := start(b, exec.Options{})
	invoke(b, e, exec.Invocation{ID: mesh.InvocationID{Run: mesh.NewRunID()}, Func: guest(b, e)("square"), Args: number(12)})
}

func BenchmarkWasmGet(b *testing.B) {
	e := start(b, exec.Options{})
	lib := newState(e)
	if _, err := call[any](b.Context(), e, guest(b, e)("put"), lib, "k", strings.Repeat("x", 100)); err != nil {
		b.Fatal(err)
	}
	invoke(b, e, exec.Invocation{Func: guest(b, e)("get"), Library: lib, Args: []mesh.Value{{Format: mesh.Text, Data: []byte("k")}}})
}

func BenchmarkWasmEcho64KiB(b *testing.B) {
	e := start(b, exec.Options{})
	b.SetBytes(64 << 10)
	invoke(b, e, exec.Invocation{Func: guest(b, e)("echo"), Args: []mesh.Value{{Format: mesh.Raw, Data: make([]byte, 64<<10)}}})
}

// BenchmarkLoadCompiled makes a module ready that an earlier life compiled:
// it is checked, its machine code read, and one instance started.
func BenchmarkLoadCompiled(b *testing.B) {
	wasm, cache := built(b, "../../examples/square"), b.TempDir()
	load := func() {
		e, err := exec.New(exec.Options{CacheDir: cache})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Inspect(b.Context(), wasm); err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	load() // compiles
	b.ReportAllocs()
	for b.Loop() {
		load()
	}
}

// BenchmarkNewInstance calls a function whose every call spoils its instance.
func BenchmarkNewInstance(b *testing.B) {
	e := start(b, exec.Options{})
	exit := exec.Invocation{Func: guest(b, e)("exit"), Args: number(0)}
	e.Invoke(b.Context(), exit) // compiles the module
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Invoke(b.Context(), exit); err == nil {
			b.Fatal("the instance did not exit")
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	e := start(b, exec.Options{})
	info := mesh.FuncInfo{Ref: ref("tool"), Kind: mesh.Command, Module: e.modules.put(built(b, "testdata/command"))}
	invoke(b, e, exec.Invocation{Func: info, Args: []mesh.Value{{Format: mesh.Text, Data: []byte("join")}}})
}
