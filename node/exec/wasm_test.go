package exec_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/codec"
)

// guest gives how to call functions of testdata/guest on b.
func guest(t testing.TB, b bench) func(name string) mesh.FuncInfo {
	t.Helper()
	hash := b.modules.put(built(t, "testdata/guest"))
	return func(name string) mesh.FuncInfo {
		return mesh.FuncInfo{Ref: ref(name), Kind: mesh.Wasm, Module: hash}
	}
}

func TestGoGuest(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	if got, err := call[int](t.Context(), b, f("square"), nil, 12); err != nil || got != 144 {
		t.Errorf("square gave %d, %v", got, err)
	}
	if got, err := call[string](t.Context(), b, f("join"), nil, "a", "b", "c"); err != nil || got != "a+b+c" {
		t.Errorf("join gave %q, %v", got, err)
	}
	if got, err := b.Invoke(t.Context(), exec.Invocation{Func: f("none")}); err != nil || !got.IsZero() {
		t.Errorf("none gave %v, %v", got, err)
	}
	if warm := b.Warm(); len(warm) != 1 || warm[0] != f("square").Module {
		t.Errorf("warm %v", warm)
	}
	if b.modules.asked != 1 {
		t.Errorf("the module was fetched %d times", b.modules.asked)
	}
	_, err := call[int](t.Context(), b, f("square"), nil, "x")
	wantError(t, err, mesh.Invalid, "argument 1: expected int, got text")
	_, err = call[int](t.Context(), b, f("nosuch"), nil)
	wantError(t, err, mesh.NotFound, `no function "nosuch": it has big, conflict, copy, counter, deadline`)
	wrongKind := f("square")
	wrongKind.Kind = mesh.Command
	_, err = call[int](t.Context(), b, wrongKind, nil)
	wantError(t, err, mesh.Invalid, "the module is a wasm: expected a command")
	missing := f("square")
	missing.Module = strings.Repeat("0", 64)
	_, err = call[int](t.Context(), b, missing, nil)
	wantError(t, err, mesh.NotFound, "no module")
}

func TestValuesCrossTheBoundaryUnchanged(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	for _, v := range []mesh.Value{
		{Format: mesh.Raw, Data: []byte{}},
		{Format: mesh.Raw, Data: []byte("\x80\x04pickle")},
		{Format: mesh.Text, Data: []byte("text")},
		{Format: mesh.CBOR, Data: []byte{0x83, 1, 2, 3}},
		{Format: mesh.Raw, Data: make([]byte, 3<<20)},
		{Format: mesh.Text, Data: []byte(strings.Repeat("x", 5000))},
		{},
	} {
		got, err := b.Invoke(t.Context(), exec.Invocation{Func: f("echo"), Args: []mesh.Value{v}})
		if err != nil || got.Format != v.Format || string(got.Data) != string(v.Data) {
			t.Errorf("%v of %d bytes came back as %v of %d, error %v", v.Format, len(v.Data), got.Format, len(got.Data), err)
		}
	}
	// JSON is handed to a guest that does not read it as the CBOR of the same value.
	got, err := b.Invoke(t.Context(), exec.Invocation{Func: f("echo"), Args: []mesh.Value{{Format: mesh.JSON, Data: []byte(`[1,2.5,"x"]`)}}})
	if text, jsonErr := codec.ToJSON(got, ""); err != nil || jsonErr != nil || got.Format != mesh.CBOR || string(text) != `[1,2.5,"x"]` {
		t.Errorf("got %s, %v, %v", text, err, jsonErr)
	}
	_, err = b.Invoke(t.Context(), exec.Invocation{Func: f("echo"), Args: []mesh.Value{{Format: mesh.Text}, {Format: mesh.Protobuf}}})
	wantError(t, err, mesh.Invalid, "argument 2: a protobuf value, which the module does not read")
	if got, err := call[[]byte](t.Context(), b, f("big"), nil, 10<<20); err != nil || len(got) != 10<<20 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestMisbehavingGuestsEndAndTheNodeStaysWell(t *testing.T) {
	b := start(t, exec.Options{Limits: mesh.Limits{Memory: 12 << 20}})
	f := guest(t, b)
	limited := func(name string, limit time.Duration) mesh.FuncInfo {
		info := f(name)
		info.Limits.Time = limit
		return info
	}
	for _, test := range []struct {
		info mesh.FuncInfo
		args []any
		kind mesh.ErrorKind
		text string
	}{
		{f("fail"), []any{"what went wrong"}, mesh.UserError, "call fail: UserError: what went wrong"},
		{f("conflict"), nil, mesh.Conflict, "on purpose"},
		{f("panic"), []any{"bang"}, mesh.UserError, "panic: bang"},
		{f("unready"), nil, mesh.UserError, "initialise: nothing works here"},
		{f("exit"), []any{7}, mesh.UserError, "exited with code 7"},
		{f("exit"), []any{0}, mesh.UserError, "exited with code 0"},
		{limited("spin", 100*time.Millisecond), nil, mesh.DeadlineExceeded, "limit of 100ms"},
		{limited("wait", 50*time.Millisecond), nil, mesh.DeadlineExceeded, ""},
		{limited("sleep", 50*time.Millisecond), []any{60000}, mesh.DeadlineExceeded, "limit of 50ms"},
		{f("hog"), nil, mesh.UserError, "more memory than its limit of 12582912 bytes"},
		{f("recurse"), nil, mesh.UserError, "more memory than its limit"},
		{f("deadlock"), nil, mesh.UserError, "all goroutines are asleep"},
		{f("open"), nil, mesh.UserError, "/etc/passwd"},
	} {
		began := time.Now()
		_, err := call[any](t.Context(), b, test.info, nil, test.args...)
		wantError(t, err, test.kind, test.text)
		t.Logf("%v after %v: %v", test.info.Ref, time.Since(began), err)
		if got, err := call[int](t.Context(), b, f("square"), nil, 3); err != nil || got != 9 {
			t.Fatalf("after %s: square gave %d, %v", test.info.Ref, got, err)
		}
	}
}

func TestACallerThatGivesUpEndsTheGuest(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	if _, err := call[int](t.Context(), b, f("square"), nil, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := call[int](ctx, b, f("spin"), nil)
	wantError(t, err, mesh.DeadlineExceeded, "deadline")
	ctx, cancelEarly := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancelEarly)
	_, err = call[int](ctx, b, f("spin"), nil)
	wantError(t, err, mesh.Cancelled, "")
}

func TestClosingEndsGuests(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	id := mesh.InvocationID{Run: mesh.NewRunID()}
	result := make(chan error, 1)
	go func() {
		_, err := b.Invoke(context.Background(), exec.Invocation{ID: id, Func: f("spin")})
		result <- err
	}()
	for b.Deliver(id, fnMessage) != nil { // until it runs
		select {
		case err := <-result:
			t.Fatal(err)
		default:
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	wantError(t, <-result, mesh.Unavailable, "shutting down")
}

func TestGuestsSeeTheDeadline(t *testing.T) {
	b := start(t, exec.Options{})
	info := guest(t, b)("deadline")
	info.Limits.Time = time.Hour
	got, err := call[int64](t.Context(), b, info, nil)
	if left := time.Duration(got) * time.Millisecond; err != nil || left > time.Hour || left < 59*time.Minute {
		t.Errorf("%v left, %v", left, err)
	}
}

func TestWhatAGuestWritesIsLogged(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	if _, err := call[int](t.Context(), b, f("print"), nil, "hello"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`msg=hello function=print stream=stdout`, `msg=hello function=print stream=stderr`} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, b.log)
		}
	}
	if _, err := call[int](t.Context(), b, f("print"), nil, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if log := b.log.String(); len(log) > 200<<10 || !strings.Contains(log, "the rest is dropped") {
		t.Errorf("the log has %d bytes", len(log))
	}
	_, err := call[int](t.Context(), b, f("panic"), nil, "bang")
	wantError(t, err, mesh.UserError, "bang")
	if !strings.Contains(b.log.String(), "main.init") {
		t.Error("the stack of a panic is not in the log")
	}
}

func TestInitialisedFunctionsPersist(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	for want := 1; want <= 3; want++ {
		if got, err := call[int](t.Context(), b, f("counter"), nil); err != nil || got != want {
			t.Errorf("counted %d, %v; expected %d", got, err, want)
		}
	}
}

func TestGuestLibrary(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	lib := newState(b)
	for _, name := range []string{"square", "relay", "fail"} {
		lib.infos[name] = f(name)
	}
	if _, err := call[any](t.Context(), b, f("put"), lib, "k", "text"); err != nil {
		t.Fatal(err)
	}
	if got, err := call[string](t.Context(), b, f("get"), lib, "k"); err != nil || got != "text" {
		t.Errorf("get gave %q, %v", got, err)
	}
	large := strings.Repeat("0123456789", 1<<17)
	if _, err := call[any](t.Context(), b, f("put"), lib, "large", large); err != nil {
		t.Fatal(err)
	}
	if got, err := call[string](t.Context(), b, f("get"), lib, "large"); err != nil || got != large {
		t.Errorf("get gave %d bytes, %v", len(got), err)
	}
	_, err := call[any](t.Context(), b, f("get"), lib, "missing")
	wantError(t, err, mesh.NotFound, "default/missing")
	_, err = call[any](t.Context(), b, f("mismatch"), lib, "k")
	wantError(t, err, mesh.KindMismatch, "holds a lww")
	if got, err := call[[]string](t.Context(), b, f("tags"), lib, "b", "a"); err != nil || fmt.Sprint(got) != "[a b]" {
		t.Errorf("tags gave %v, %v", got, err)
	}
	if _, err := call[any](t.Context(), b, f("delete"), lib, "k"); err != nil {
		t.Fatal(err)
	}
	_, err = call[any](t.Context(), b, f("get"), lib, "k")
	wantError(t, err, mesh.NotFound, "default/k")
	if got, err := call[int](t.Context(), b, f("relay"), lib, "square", 9); err != nil || got != 81 {
		t.Errorf("relay gave %d, %v", got, err)
	}
	_, err = call[int](t.Context(), b, f("relay"), lib, "nosuch", 9)
	wantError(t, err, mesh.NotFound, "no function nosuch")
	_, err = call[int](t.Context(), b, f("relay"), lib, "bad name", 9)
	wantError(t, err, mesh.Invalid, "bad name")
	_, err = call[int](t.Context(), b, f("relay"), lib, "fail", 9)
	wantError(t, err, mesh.Invalid, "expected string")
}

func TestGuestsSendAndReceive(t *testing.T) {
	b := start(t, exec.Options{Concurrency: 1})
	f := guest(t, b)
	lib := newState(b)
	id := mesh.InvocationID{Node: "node", Run: mesh.NewRunID(), Stage: "s"}
	result := make(chan string, 1)
	go func() {
		v, err := b.Invoke(t.Context(), exec.Invocation{ID: id, Func: f("recv"), Library: lib, Args: []mesh.Value{{Format: mesh.CBOR, Data: []byte{3}}}})
		var bodies []string
		if err == nil {
			err = codec.Decode(v, &bodies)
		}
		result <- fmt.Sprint(bodies, err)
	}()
	for sent := 0; sent < 3; {
		_, err := call[any](t.Context(), b, f("send"), lib, id.String(), fmt.Sprint("m", sent))
		if err == nil {
			sent++
		} else if mesh.KindOf(err) != mesh.NotFound { // not begun yet
			t.Fatal(err)
		}
	}
	if got := <-result; got != "[m0 m1 m2] <nil>" {
		t.Errorf("received %s", got)
	}
	own, err := b.Invoke(t.Context(), exec.Invocation{ID: id, Func: f("id"), Library: lib})
	if err != nil || string(own.Data) != id.String() {
		t.Errorf("id is %s, %v", own.Data, err)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	b := start(t, exec.Options{})
	f := guest(t, b)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 50 {
				if got, err := call[int](t.Context(), b, f("square"), nil, caller+i); err != nil || got != (caller+i)*(caller+i) {
					t.Errorf("square(%d) gave %d, %v", caller+i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTheNodesMemoryIsShared(t *testing.T) {
	b := start(t, exec.Options{Memory: 24 << 20})
	f := guest(t, b)
	lib := newState(b)
	// Each level of relay holds an instance of some MiB: they do not all fit.
	lib.infos["relay"], lib.infos["square"] = f("relay"), f("square")
	if got, err := call[int](t.Context(), b, f("square"), lib, 2); err != nil || got != 4 {
		t.Fatalf("square gave %d, %v", got, err)
	}
	_, err := call[any](t.Context(), b, f("hog"), lib)
	wantError(t, err, mesh.Overloaded, "memory that this node has")
	if got, err := call[int](t.Context(), b, f("square"), lib, 2); err != nil || got != 4 {
		t.Errorf("square gave %d, %v", got, err)
	}
}
