package exec_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// invokeFor calls a function for a caller.
func invokeFor(b bench, info mesh.FuncInfo, caller string) error {
	_, err := b.Invoke(context.Background(), exec.Invocation{Func: info, Caller: caller})
	return err
}

// flood has a caller ask for more than there is room for, until stop; it
// tells how many of its calls were served.
func flood(b bench, info mesh.FuncInfo, caller string, askers int, stop <-chan struct{}) (served func() int) {
	counts := make(chan int)
	for range askers {
		go func() {
			n := 0
			for {
				select {
				case <-stop:
					counts <- n
					return
				default:
				}
				if err := invokeFor(b, info, caller); err == nil {
					n++
				} else {
					time.Sleep(mesh.RetryAfter(err))
				}
			}
		}()
	}
	return func() (sum int) {
		for range askers {
			sum += <-counts
		}
		return sum
	}
}

// One caller keeps every place and the whole queue taken. Another one, that
// asks for one thing at a time, is served within two turns, every time.
func TestACallerThatFloodsLeavesOthersTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took, lasting = 10 * time.Millisecond, 2 * time.Second
		b := start(t, exec.Options{Concurrency: 4, Queue: 16})
		work := native(t, b, "work", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
			time.Sleep(took)
			return 0, nil
		})
		stop := make(chan struct{})
		flooded := flood(b, work, "flooder", 200, stop)
		time.Sleep(5 * took)
		var longest time.Duration
		began, served := time.Now(), 0
		for time.Since(began) < lasting {
			asked := time.Now()
			if err := invokeFor(b, work, "quiet"); err != nil {
				t.Fatalf("the quiet caller's call %d: %v", served, err)
			}
			served++
			longest = max(longest, time.Since(asked))
		}
		close(stop)
		if longest > 3*took {
			t.Errorf("the quiet caller waited up to %v: expected a turn of %v, and its own", longest, took)
		}
		if n := flooded(); n < 2*served {
			t.Errorf("the flooder was served %d times, the quiet caller %d times: expected it to have what others leave", n, served)
		}
	})
}

// Where two callers flood, each has half of the places.
func TestCallersThatFloodShareEqually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 4, Queue: 16})
		work := native(t, b, "work", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
			time.Sleep(10 * time.Millisecond)
			return 0, nil
		})
		stop := make(chan struct{})
		many, few := flood(b, work, "many", 300, stop), flood(b, work, "few", 30, stop)
		time.Sleep(5 * time.Second)
		close(stop)
		a, c := many(), few()
		if a < c*2/3 || c < a*2/3 {
			t.Errorf("served %d and %d times: expected about as many, though one asks ten times as often", a, c)
		}
	})
}

func TestOverloadSaysWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{Concurrency: 2, Queue: 8})
		work := native(t, b, "work", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return 0, nil
		})
		if err := invokeFor(b, work, "a"); err != nil { // so that it is known what one takes
			t.Fatal(err)
		}
		for range 10 {
			go func() {
				if err := invokeFor(b, work, "a"); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		err := invokeFor(b, work, "a")
		wantError(t, err, mesh.Overloaded, "10 invocations are under way")
		if after := mesh.RetryAfter(err); after < 100*time.Millisecond || after > 500*time.Millisecond {
			t.Errorf("it says to come again after %v: expected some time within the 500ms that ten calls take", after)
		}
		time.Sleep(mesh.RetryAfter(err))
		if err := invokeFor(b, work, "a"); err != nil {
			t.Errorf("then: %v", err)
		}
	})
}

// A refusal that a function met inside is not its caller's: the function ran.
func TestARefusalInsideAFunctionIsNotOneOfTheFunction(t *testing.T) {
	b := start(t, exec.Options{})
	inner := native(t, b, "inner", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
		return 0, &mesh.Error{Kind: mesh.Overloaded, Msg: "full", RetryAfter: time.Second}
	})
	if err := invokeFor(b, inner, ""); mesh.KindOf(err) != mesh.Overloaded || mesh.RetryAfter(err) != 0 {
		t.Errorf("%v: expected Overloaded, without a promise that nothing has begun", err)
	}
}

// Native functions that wait take no processor: as many run at once as are allowed.
func TestFunctionsThatSleepAreNotLimitedByProcessors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{})
		nap := native(t, b, "nap", mesh.Limits{}, func(context.Context, fn.None) (int, error) {
			time.Sleep(50 * time.Millisecond)
			return 0, nil
		})
		began, done := time.Now(), make(chan error)
		for range 1000 {
			go func() { done <- invokeFor(b, nap, "") }()
		}
		for range 1000 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("1000 naps of 50ms took %v", took)
		}
	})
}
