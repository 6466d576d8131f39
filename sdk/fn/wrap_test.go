package fn_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func values(t testing.TB, args ...any) []mesh.Value {
	t.Helper()
	out := make([]mesh.Value, len(args))
	for i, arg := range args {
		v, err := codec.Encode(arg)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = v
	}
	return out
}

func wantError(t testing.TB, err error, kind mesh.ErrorKind, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, expected %v with %q", err, kind, text)
	}
}

func TestArgumentsAndResults(t *testing.T) {
	pair := func(_ context.Context, a fn.Args2[int, string]) (string, error) { return fmt.Sprint(a.A, a.B), nil }
	for name, test := range map[string]struct {
		raw  fn.Raw
		args []any
		want any
	}{
		"one":        {fn.Wrap(func(_ context.Context, x int) (int, error) { return x + 1, nil }), []any{1}, int64(2)},
		"none":       {fn.Wrap(func(context.Context, fn.None) (string, error) { return "x", nil }), nil, "x"},
		"no result":  {fn.Wrap(func(context.Context, int) (fn.None, error) { return fn.None{}, nil }), []any{1}, nil},
		"two":        {fn.Wrap(pair), []any{1, "b"}, "1b"},
		"a list":     {fn.Wrap(func(_ context.Context, l []int) (int, error) { return len(l), nil }), []any{[]int{1, 2, 3}}, int64(3)},
		"empty list": {fn.Wrap(func(_ context.Context, l []int) ([]int, error) { return l, nil }), []any{[]int{}}, []any{}},
		"any number": {fn.Wrap(func(_ context.Context, l fn.Variadic[int]) (int, error) { return len(l), nil }), []any{1, 2}, int64(2)},
		"any, zero":  {fn.Wrap(func(_ context.Context, l fn.Variadic[int]) (int, error) { return len(l), nil }), nil, int64(0)},
		"three": {fn.Wrap(func(_ context.Context, a fn.Args3[int, bool, []byte]) (bool, error) { return a.B, nil }),
			[]any{1, true, []byte{}}, true},
		"four": {fn.Wrap(func(_ context.Context, a fn.Args4[int, int, int, int]) (int, error) {
			return a.A + a.B + a.C + a.D, nil
		}),
			[]any{1, 2, 3, 4}, int64(10)},
		"as it is": {fn.Wrap(func(_ context.Context, v mesh.Value) (mesh.Value, error) { return v, nil }), []any{[]byte("raw")}, []byte("raw")},
	} {
		result, err := test.raw(t.Context(), values(t, test.args...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got any
		if err := codec.Decode(result, &got); err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) {
			t.Errorf("%s gave %#v, %v; expected %#v", name, got, err, test.want)
		}
	}
	for _, test := range []struct {
		raw  fn.Raw
		args []any
		want string
	}{
		{fn.Wrap(pair), []any{1}, "expected 2 arguments, got 1"},
		{fn.Wrap(pair), []any{1, 2}, "argument 2: expected string, got positive integer"},
		{fn.Wrap(func(context.Context, int) (int, error) { return 0, nil }), nil, "expected 1 argument, got 0"},
		{fn.Wrap(func(context.Context, fn.None) (int, error) { return 0, nil }), []any{1}, "expected 0 arguments, got 1"},
		{fn.Wrap(func(context.Context, fn.Variadic[int]) (int, error) { return 0, nil }), []any{1, "x"}, "argument 2: expected int, got text"},
	} {
		_, err := test.raw(t.Context(), values(t, test.args...))
		wantError(t, err, mesh.Invalid, test.want)
	}
}

func TestEncodeArgsIsWhatWrapReads(t *testing.T) {
	check := func(args []mesh.Value, err error, want string) {
		t.Helper()
		var got []string
		for _, v := range args {
			text, jsonErr := codec.ToJSON(v, "")
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			got = append(got, string(text))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("got %v, %v; expected %s", got, err, want)
		}
	}
	args, err := fn.EncodeArgs(fn.None{})
	check(args, err, "")
	args, err = fn.EncodeArgs([]int{1, 2})
	check(args, err, "[1,2]")
	args, err = fn.EncodeArgs(fn.Args2[int, string]{1, "b"})
	check(args, err, `1 "b"`)
	args, err = fn.EncodeArgs(fn.Args4[int, int, bool, mesh.Value]{1, 2, true, mesh.Value{Format: mesh.Text, Data: []byte("v")}})
	check(args, err, `1 2 true "v"`)
	args, err = fn.EncodeArgs(fn.Variadic[int]{4, 5, 6})
	check(args, err, "4 5 6")
	_, err = fn.EncodeArgs(fn.Args2[int, chan int]{})
	wantError(t, err, mesh.Invalid, "argument 2")
}

func TestErrorsKeepTheirKind(t *testing.T) {
	failing := func(err error) fn.Raw {
		return fn.Wrap(func(context.Context, fn.None) (int, error) { return 0, err })
	}
	_, err := failing(errors.New("plain"))(t.Context(), nil)
	wantError(t, err, mesh.UserError, "plain")
	conflict := mesh.Errorf(mesh.Conflict, "op", "typed")
	if _, err := failing(conflict)(t.Context(), nil); err != error(conflict) {
		t.Errorf("a typed error became %v", err)
	}
	_, err = failing(fmt.Errorf("while loading: %w", conflict))(t.Context(), nil)
	wantError(t, err, mesh.Conflict, "while loading: op: Conflict: typed")
	_, err = failing(context.DeadlineExceeded)(t.Context(), nil)
	wantError(t, err, mesh.UserError, "deadline")
	ended, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	_, err = failing(context.DeadlineExceeded)(ended, nil)
	wantError(t, err, mesh.DeadlineExceeded, "deadline")

	_, err = fn.Wrap(func(context.Context, fn.None) (int, error) { panic("bang") })(t.Context(), nil)
	wantError(t, err, mesh.UserError, "panic: bang")
	var panicked *fn.Panic
	if !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "wrap_test.go") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the panic is %v", err)
	}
	_, err = fn.Wrap(func(context.Context, fn.None) (chan int, error) { return nil, nil })(t.Context(), nil)
	wantError(t, err, mesh.UserError, "result: chan int")
}

func TestAFunctionIsMadeOnce(t *testing.T) {
	attempts := 0
	raw := fn.WrapInit(func(context.Context) (func(context.Context, fn.None) (int, error), error) {
		if attempts++; attempts == 1 {
			return nil, errors.New("not yet")
		}
		var mu sync.Mutex
		count := 0
		return func(context.Context, fn.None) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			count++
			return count, nil
		}, nil
	})
	_, err := raw(t.Context(), nil)
	wantError(t, err, mesh.UserError, "initialise: not yet")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := raw(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if last, err := raw(t.Context(), nil); err != nil || attempts != 2 || last.Data[0] != 21 {
		t.Errorf("made %d times, counted to %v, %v", attempts, last.Data, err)
	}
	panicking := fn.WrapInit(func(context.Context) (func(context.Context, int) (int, error), error) { panic("no") })
	_, err = panicking(t.Context(), nil)
	wantError(t, err, mesh.UserError, "panic: no")
}

func TestExport(t *testing.T) {
	identity := func(_ context.Context, x int) (int, error) { return x, nil }
	fn.Export("test.b", identity)
	fn.ExportInit("test.a", func(context.Context) (func(context.Context, int) (int, error), error) { return identity, nil })
	var names []string
	for _, function := range fn.Exported() {
		names = append(names, function.Name)
		if result, err := function.Raw(t.Context(), values(t, 5)); err != nil || result.Data[0] != 5 {
			t.Errorf("%s gave %v, %v", function.Name, result, err)
		}
	}
	if strings.Join(names, " ") != "test.a test.b" {
		t.Errorf("exported %v", names)
	}
	for _, name := range []string{"test.a", "", "two words"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("exporting %q did not panic", name)
				}
			}()
			fn.Export(name, identity)
		}()
	}
}

func BenchmarkWrap(b *testing.B) {
	raw := fn.Wrap(func(_ context.Context, x int) (int, error) { return x * x, nil })
	args := values(b, 12)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := raw(b.Context(), args); err != nil {
			b.Fatal(err)
		}
	}
}
