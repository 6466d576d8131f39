package exec_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestAGuestReadsALargeValueWithoutACopy(t *testing.T) {
	const size = 64 << 20
	b := start(t, exec.Options{})
	lib, measure := newState(b), guest(t, b)("measure")
	key := mesh.Key{Namespace: mesh.DefaultNamespace, Name: "large"}
	if err := lib.Put(t.Context(), key, lattice.LWWKind, lattice.SetOp(append([]byte{byte(mesh.Raw)}, make([]byte, size)...))); err != nil {
		t.Fatal(err)
	}
	if _, err := call[int](t.Context(), b, measure, lib, "large"); err != nil { // makes an instance ready
		t.Fatal(err)
	}
	var got int
	grown := peak(t, func() (err error) {
		got, err = call[int](t.Context(), b, measure, lib, "large")
		return err
	})
	if got != size {
		t.Errorf("it read %d bytes, expected %d", got, size)
	}
	if grown > size/2 {
		t.Errorf("the heap grew by up to %d MiB: expected less than half of the value's %d", grown>>20, size>>20)
	}
	t.Logf("the heap grew by up to %d MiB for a value of %d MiB", grown>>20, size>>20)
}

func TestPiecesAreOfTheValueThatWasOpened(t *testing.T) {
	b := start(t, exec.Options{})
	lib, f := newState(b), guest(t, b)
	text := strings.Repeat("once ", 1000)
	if _, err := call[any](t.Context(), b, f("put"), lib, "k", text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{text, "other"} {
		got, err := call[[]byte](t.Context(), b, f("overtaken"), lib, "k")
		if err != nil || string(got) != want {
			t.Errorf("the pieces are %.20q of %d bytes, %v; expected %.20q of %d", got, len(got), err, want, len(want))
		}
	}
	_, err := call[any](t.Context(), b, f("overtaken"), lib, "nosuch")
	wantError(t, err, mesh.NotFound, "nosuch")
}

func TestAResultInPieces(t *testing.T) {
	b := start(t, exec.Options{})
	emitting := func(name string, emit func(ctx context.Context) error, returned any) mesh.FuncInfo {
		return native(t, b, name, mesh.Limits{}, func(ctx context.Context, _ fn.None) (any, error) { return returned, emit(ctx) })
	}
	pieces := func(ctx context.Context) error {
		for _, piece := range []string{"one ", "", "two"} {
			if err := fn.Emit(ctx, mesh.Text, []byte(piece)); err != nil {
				return err
			}
		}
		return nil
	}
	got, err := b.Invoke(t.Context(), exec.Invocation{Func: emittedOnly(t, b, pieces)})
	if err != nil || got.Format != mesh.Text || string(got.Data) != "one two" {
		t.Errorf("the result is %v %q, %v", got.Format, got.Data, err)
	}
	_, err = call[any](t.Context(), b, emitting("both", pieces, 1), nil)
	wantError(t, err, mesh.UserError, "returned a value after it had emitted one")
	_, err = call[any](t.Context(), b, emitting("mixed", func(ctx context.Context) error {
		if err := pieces(ctx); err != nil {
			return err
		}
		return fn.Emit(ctx, mesh.Raw, nil)
	}, nil), nil)
	wantError(t, err, mesh.Invalid, "a piece of raw after one of text: expected the same")
	_, err = call[any](t.Context(), b, emitting("unknown", func(ctx context.Context) error { return fn.Emit(ctx, 77, nil) }, nil), nil)
	wantError(t, err, mesh.Invalid, "a piece of format 77")
	_, err = call[any](t.Context(), b, emitting("long", func(ctx context.Context) error {
		piece := bytes.Repeat([]byte{1}, 16<<20)
		for {
			if err := fn.Emit(ctx, mesh.Raw, piece); err != nil {
				return err
			}
		}
	}, nil), nil)
	wantError(t, err, mesh.UserError, "more than 50331648 bytes")
	wantError(t, fn.Emit(fn.WithLibrary(t.Context(), newState(b)), mesh.Raw, nil), mesh.Invalid, "where results are not made in pieces")
}

// emittedOnly is a native function without a result of its own.
func emittedOnly(t *testing.T, b bench, emit func(ctx context.Context) error) mesh.FuncInfo {
	t.Helper()
	return native(t, b, "emitted", mesh.Limits{}, func(ctx context.Context, _ fn.None) (fn.None, error) { return fn.None{}, emit(ctx) })
}
