package exec_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestNativeFunction(t *testing.T) {
	b := start(t, exec.Options{})
	square := native(t, b, "square", mesh.Limits{}, func(_ context.Context, x int) (int, error) { return x * x, nil })
	if got, err := call[int](t.Context(), b, square, nil, 7); err != nil || got != 49 {
		t.Errorf("got %d, %v; expected 49", got, err)
	}
	_, err := call[int](t.Context(), b, square, nil, "x")
	wantError(t, err, mesh.Invalid, "call square: Invalid: argument 1: expected int, got text")
	_, err = call[int](t.Context(), b, square, nil)
	wantError(t, err, mesh.Invalid, "expected 1 argument, got 0")
	_, err = call[int](t.Context(), b, mesh.FuncInfo{Ref: ref("other"), Kind: mesh.Native}, nil)
	wantError(t, err, mesh.Unavailable, "no native function of that name")
	_, err = call[int](t.Context(), b, mesh.FuncInfo{Ref: ref("square"), Kind: 77}, nil)
	wantError(t, err, mesh.Invalid, "kind 77")
	wantError(t, b.Handle(ref("square"), nil, mesh.Limits{}), mesh.Conflict, "handler already")
	wantError(t, b.Handle(ref("no spaces"), nil, mesh.Limits{}), mesh.Invalid, "no spaces")
}

func TestPanicsAndErrorsOfNativeFunctions(t *testing.T) {
	b := start(t, exec.Options{})
	boom := native(t, b, "boom", mesh.Limits{}, func(_ context.Context, text string) (int, error) { panic(text) })
	_, err := call[int](t.Context(), b, boom, nil, "bang")
	wantError(t, err, mesh.UserError, "panic: bang")
	if log := b.log.String(); !strings.Contains(log, "native_test.go") {
		t.Errorf("the stack is not in the log: %s", log)
	}
	if strings.Contains(err.Error(), "native_test.go") {
		t.Errorf("the stack is in the error: %v", err)
	}
	if err := b.Handle(ref("raw"), func(context.Context, []mesh.Value) (mesh.Value, error) { panic("bare") }, mesh.Limits{}); err != nil {
		t.Fatal(err)
	}
	_, err = call[int](t.Context(), b, mesh.FuncInfo{Ref: ref("raw"), Kind: mesh.Native}, nil)
	wantError(t, err, mesh.UserError, "panic: bare")
}

func TestTimeLimitOfANativeFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Limits: mesh.Limits{Time: time.Minute}})
		wait := native(t, b, "wait", mesh.Limits{Time: time.Second}, func(ctx context.Context, _ fn.None) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		_, err := call[int](t.Context(), b, wait, nil)
		wantError(t, err, mesh.DeadlineExceeded, "limit of 1s")

		wait.Limits.Time = 2 * time.Second
		began := time.Now()
		_, err = call[int](t.Context(), b, wait, nil)
		wantError(t, err, mesh.DeadlineExceeded, "limit of 2s")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v", took)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = call[int](ctx, b, wait, nil)
		wantError(t, err, mesh.DeadlineExceeded, "deadline")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, err = call[int](ctx, b, wait, nil)
		wantError(t, err, mesh.Cancelled, "")
	})
}

func TestBeyondConcurrencyAndQueueItIsOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 2, Queue: 3})
		var mu sync.Mutex
		running, most := 0, 0
		release := make(chan struct{})
		block := native(t, b, "block", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-release
			mu.Lock()
			running--
			mu.Unlock()
			return 0, nil
		})
		results := make(chan error, 5)
		for range 5 {
			go func() {
				_, err := call[int](t.Context(), b, block, nil)
				results <- err
			}()
		}
		synctest.Wait()
		_, err := call[int](t.Context(), b, block, nil)
		wantError(t, err, mesh.Overloaded, "5 invocations are under way")
		close(release)
		for range 5 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if most != 2 {
			t.Errorf("%d ran at once, expected 2", most)
		}
	})
}

func TestALimitOfOneFunctionLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 2, Queue: 10})
		release := make(chan struct{})
		slow := native(t, b, "slow", mesh.Limits{Concurrency: 1}, func(context.Context, fn.None) (int, error) {
			<-release
			return 0, nil
		})
		quick := native(t, b, "quick", mesh.Limits{}, func(context.Context, fn.None) (int, error) { return 1, nil })
		results := make(chan error, 4)
		for range 4 {
			go func() {
				_, err := call[int](t.Context(), b, slow, nil)
				results <- err
			}()
		}
		synctest.Wait()
		if got, err := call[int](t.Context(), b, quick, nil); err != nil || got != 1 {
			t.Errorf("quick gave %d, %v", got, err)
		}
		close(release)
		for range 4 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 1})
		release := make(chan struct{})
		block := native(t, b, "block", mesh.Limits{}, func(context.Context, fn.None) (int, error) { <-release; return 1, nil })
		first := make(chan error, 1)
		go func() {
			_, err := call[int](t.Context(), b, block, nil)
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call[int](ctx, b, block, nil)
		wantError(t, err, mesh.DeadlineExceeded, "")
		close(release)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if _, err := call[int](t.Context(), b, block, nil); err != nil {
			t.Errorf("the place was lost: %v", err)
		}
	})
}

// A function that calls itself to any depth must not wait for a place that an ancestor holds.
func TestRecursionPastEveryLimit(t *testing.T) {
	b := start(t, exec.Options{Concurrency: 1, Queue: 100})
	lib := newState(b)
	lib.infos["down"] = native(t, b, "down", mesh.Limits{Concurrency: 1}, func(ctx context.Context, n int) (int, error) {
		if n == 0 {
			return 0, nil
		}
		below, err := fn.Call[int](ctx, "down", n-1)
		return below + 1, err
	})
	if got, err := call[int](t.Context(), b, lib.infos["down"], lib, 50); err != nil || got != 50 {
		t.Errorf("got %d, %v; expected 50", got, err)
	}
	_, err := call[int](t.Context(), b, lib.infos["down"], lib, 500)
	wantError(t, err, mesh.Overloaded, "101 invocations are under way")
}

func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 1})
		ids := make(chan mesh.InvocationID, 1)
		listen := native(t, b, "listen", mesh.Limits{}, func(ctx context.Context, count int) ([]int, error) {
			ids <- fn.ID(ctx)
			var got []int
			for len(got) < count {
				messages, err := fn.Recv[int](ctx, time.Second)
				if err != nil {
					return got, err
				}
				if len(messages) == 0 {
					return got, nil
				}
				for _, m := range messages {
					got = append(got, m.Body)
				}
			}
			return got, nil
		})
		// send runs while listen waits, though there is one place only.
		lib := newState(b)
		send := native(t, b, "send", mesh.Limits{}, func(ctx context.Context, to string) (int, error) {
			id, err := mesh.ParseInvocationID(to)
			if err != nil {
				return 0, err
			}
			for i := range 10 {
				if err := fn.Send(ctx, id, i); err != nil {
					return 0, err
				}
			}
			return 10, nil
		})
		result := make(chan string, 1)
		go func() {
			got, err := call[[]int](t.Context(), b, listen, lib, 10)
			result <- fmt.Sprint(got, err)
		}()
		id := <-ids
		id.Node = "n" // an id as text needs a node
		if id, err := mesh.ParseInvocationID(id.String()); err != nil || id.Run == (mesh.RunID{}) {
			t.Errorf("id %v, %v", id, err)
		}
		id.Node = ""
		for i := range 10 {
			if err := b.Deliver(id, exec.Message{Message: fn.Message{Body: mesh.Value{Format: mesh.CBOR, Data: []byte{byte(i)}}}}); err != nil {
				t.Error(err)
			}
		}
		if got := <-result; got != "[0 1 2 3 4 5 6 7 8 9] <nil>" {
			t.Errorf("received %s", got)
		}
		synctest.Wait()
		wantError(t, b.Deliver(id, exec.Message{}), mesh.NotFound, "no such invocation")
		_, err := call[int](t.Context(), b, send, lib, "nonsense")
		wantError(t, err, mesh.Invalid, "not an invocation id")

		// Nothing arrives: the wait ends by itself.
		go func() { <-ids }()
		if got, err := call[[]int](t.Context(), b, listen, lib, 1); err != nil || len(got) != 0 {
			t.Errorf("received %v, %v", got, err)
		}
	})
}

func TestAnIDRunsOnce(t *testing.T) {
	b := start(t, exec.Options{})
	ready, done := make(chan struct{}), make(chan struct{})
	block := native(t, b, "block", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
		ready <- struct{}{}
		<-done
		return 0, nil
	})
	inv := exec.Invocation{ID: mesh.InvocationID{Run: mesh.NewRunID()}, Func: block}
	first := make(chan error, 1)
	go func() {
		_, err := b.Invoke(t.Context(), inv)
		first <- err
	}()
	<-ready
	_, err := b.Invoke(t.Context(), inv)
	wantError(t, err, mesh.Conflict, "runs already")
	if lib, err := b.Library(inv.ID); err != nil || lib.ID() != inv.ID {
		t.Errorf("library %v, %v", lib, err)
	}
	close(done)
	if err := <-first; err != nil {
		t.Error(err)
	}
	_, err = b.Library(inv.ID)
	wantError(t, err, mesh.NotFound, "no such invocation")
}

func TestCloseCancelsAndWaits(t *testing.T) {
	b := start(t, exec.Options{})
	ready := make(chan struct{})
	ended := false
	wait := native(t, b, "wait", mesh.Limits{}, func(ctx context.Context, _ fn.None) (int, error) {
		close(ready)
		<-ctx.Done()
		ended = true
		return 0, ctx.Err()
	})
	result := make(chan error, 1)
	go func() {
		_, err := call[int](context.Background(), b, wait, nil)
		result <- err
	}()
	<-ready
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if !ended {
		t.Error("Close did not wait")
	}
	wantError(t, <-result, mesh.Unavailable, "shutting down")
	_, err := call[int](context.Background(), b, wait, nil)
	wantError(t, err, mesh.Unavailable, "shutting down")
}

// echoWorker answers with its first argument and what its library says.
type echoWorker struct {
	name string
	err  error
}

func (w *echoWorker) Invoke(_ context.Context, inv exec.Invocation) (mesh.Value, error) {
	if w.err != nil {
		return mesh.Value{}, w.err
	}
	return mesh.Value{Format: mesh.Text, Data: []byte(w.name + " in " + inv.Library.Namespace())}, nil
}

func TestWorkersTakeTurns(t *testing.T) {
	b := start(t, exec.Options{})
	info := mesh.FuncInfo{Ref: ref("echo"), Kind: mesh.Worker}
	_, err := call[string](t.Context(), b, info, nil)
	wantError(t, err, mesh.Unavailable, "no worker function")
	one, two := &echoWorker{name: "one"}, &echoWorker{name: "two"}
	for _, w := range []exec.Worker{one, two, two} {
		if err := b.Attach(ref("echo"), w); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for range 10 {
		got, err := call[string](t.Context(), b, info, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[got]++
	}
	if seen["one in default"] != 5 || seen["two in default"] != 5 {
		t.Errorf("seen %v", seen)
	}
	if hosts := b.Hosts(); len(hosts) != 1 || hosts[0] != ref("echo") {
		t.Errorf("hosts %v", hosts)
	}
	b.Detach(ref("echo"), one)
	two.err = errors.New("broken connection")
	_, err = call[string](t.Context(), b, info, nil)
	wantError(t, err, mesh.Internal, "broken connection")
	b.Detach(ref("echo"), two)
	b.Detach(ref("echo"), two)
	if hosts := b.Hosts(); len(hosts) != 0 {
		t.Errorf("hosts %v", hosts)
	}
}

func TestWithoutALibrary(t *testing.T) {
	b := start(t, exec.Options{})
	get := native(t, b, "get", mesh.Limits{}, func(ctx context.Context, key string) (string, error) { return fn.Get[string](ctx, key) })
	_, err := call[string](t.Context(), b, get, nil, "k")
	wantError(t, err, mesh.Unavailable, "no library")
}
