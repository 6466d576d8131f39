package exec_test

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
)

// sampleEvery is of how many pieces of its input the command sampling gives one.
const sampleEvery = 64

// sampling is a WASI command that reads its input in pieces of 32 KiB and
// copies the last one of each sampleEvery to its output.
func sampling() []byte {
	const vector, count, buffer, size = 0, 8, 1024, 32 << 10
	store := func(at int64, value []byte) []byte {
		return slices.Concat(i32Const(at), value, []byte{opI32Store, 2, 0})
	}
	load := slices.Concat(i32Const(count), []byte{opI32Load, 2, 0})
	const read, write = 0, 1 // the imports, in their order
	move := func(by byte, file int64) []byte {
		return slices.Concat(i32Const(file), i32Const(vector), i32Const(1), i32Const(count), []byte{opCall, by, opDrop})
	}
	fill := slices.Concat(store(vector+4, i32Const(size)), move(read, 0))
	code := slices.Concat(
		store(vector, i32Const(buffer)),
		[]byte{opBlock, opVoid, opLoop, opVoid},
		bytes.Repeat(fill, sampleEvery),
		load, []byte{opI32Eqz, opBrIf, 1},
		store(vector+4, load), move(write, 1),
		[]byte{opBr, 0, opEnd, opEnd},
	)
	file := []byte{i32, i32, i32, i32}
	return wat{
		imports: []watImport{
			{"wasi_snapshot_preview1", "fd_read", file, []byte{i32}},
			{"wasi_snapshot_preview1", "fd_write", file, []byte{i32}},
		},
		functions: []watFunction{{name: "_start", code: code}},
		pages:     1,
	}.assemble()
}

func TestACommandReadsALargeInputWithoutACopy(t *testing.T) {
	const size = 64 << 20
	b := start(t, exec.Options{})
	wasm := sampling()
	info := mesh.FuncInfo{Ref: ref("sample"), Kind: mesh.Command, Module: b.modules.put(wasm)}
	input := mesh.Value{Format: mesh.Text, Data: bytes.Repeat([]byte("0123456789abcdef"), size/16)}
	if _, err := b.Inspect(t.Context(), wasm); err != nil {
		t.Fatal(err)
	}
	var got mesh.Value
	grown := peak(t, func() (err error) {
		got, err = b.Invoke(t.Context(), exec.Invocation{Func: info, Args: []mesh.Value{input}})
		return err
	})
	const sampled = size / sampleEvery
	if n := len(got.Data); got.Format != mesh.Text || n < sampled*98/100 || n > sampled*102/100 { // reads may be short
		t.Errorf("it gave %v of %d bytes, expected text of about %d", got.Format, n, sampled)
	}
	// The output, as it was each time that it grew while the collector had not
	// ended yet, and little else: far less than a copy of the input.
	if grown > size/4 {
		t.Errorf("the heap grew by up to %d MiB: expected less than a quarter of the input's %d", grown>>20, size>>20)
	}
	t.Logf("the heap grew by up to %d MiB for an input of %d MiB and an output of %d KiB", grown>>20, size>>20, len(got.Data)>>10)
}

// peak is by how much live objects exceeded those of before while do ran, in
// bytes, as the garbage collector found them.
func peak(t *testing.T, do func() error) int64 {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // it looks often
	runtime.GC()
	before, most := live(), int64(0)
	done := make(chan error)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return most
		default:
			most = max(most, live()-before)
			runtime.Gosched()
		}
	}
}

func live() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
