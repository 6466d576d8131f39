package exec_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestUsageTellsWhatAFunctionTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{})
		work := native(t, b, "work", mesh.Limits{Concurrency: 3}, func(context.Context, fn.None) ([]byte, error) {
			time.Sleep(20 * time.Millisecond)
			return make([]byte, 1000), nil
		})
		for range 100 { // 50 a second
			if err := invokeFor(b, work, ""); err != nil {
				t.Fatal(err)
			}
		}
		u, ok := b.Usage(work.Ref, time.Now())
		if !ok || u.Calls != 100 || u.Limit != 3 || u.Warm != 1 || u.Running != 0 {
			t.Errorf("it is %+v", u)
		}
		if u.Mean < 19*time.Millisecond || u.Mean > 21*time.Millisecond || u.P95 < 20*time.Millisecond || u.P95 > 30*time.Millisecond {
			t.Errorf("it takes %v, and 95 of 100 %v: expected 20ms, and at most half more", u.Mean, u.P95)
		}
		if u.Rate < 25 || u.Rate > 55 || u.ResultBytes < 1000 || u.ResultBytes > 1100 {
			t.Errorf("%.1f calls a second of %d bytes: expected nearly 50, of somewhat more than 1000", u.Rate, u.ResultBytes)
		}
		time.Sleep(time.Minute)
		if u, _ := b.Usage(work.Ref, time.Now()); u.Rate > 0.01 || u.Calls != 100 {
			t.Errorf("a minute later: %+v", u)
		}
	})
}

func TestUsageCountsThoseThatRunAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, exec.Options{})
		release := make(chan struct{})
		hold := native(t, b, "hold", mesh.Limits{Concurrency: 2}, func(context.Context, fn.None) (int, error) {
			<-release
			return 0, errors.New("in vain")
		})
		for range 5 {
			go invokeFor(b, hold, "")
		}
		synctest.Wait()
		if u, _ := b.Usage(hold.Ref, time.Now()); u.Running != 2 || u.Waiting != 3 {
			t.Errorf("%d run and %d wait: expected 2 and 3", u.Running, u.Waiting)
		}
		if load := b.Load(); load.Running != 2 || load.Capacity != 1024 {
			t.Errorf("the load is %+v", load)
		}
		close(release)
		synctest.Wait()
		if u, _ := b.Usage(hold.Ref, time.Now()); u.Running != 0 || u.Waiting != 0 || u.Calls != 5 {
			t.Errorf("at the end: %+v", u)
		}
	})
}

// Instances come with the load, go with it, and come back on demand.
func TestInstancesFollowLoad(t *testing.T) {
	b := start(t, exec.Options{Warm: exec.WarmPolicy{Grace: 30 * time.Second, Idle: 10 * time.Minute}})
	square := guest(t, b)("square")
	callSquare := func() {
		t.Helper()
		if got, err := call[int](t.Context(), b, square, nil, 5); err != nil || got != 25 {
			t.Fatalf("square of 5 is %v, %v", got, err)
		}
	}
	warm := func() int {
		u, _ := b.Usage(square.Ref, time.Now())
		return u.Warm
	}
	now := time.Now()
	callSquare()
	if n := warm(); n != 1 {
		t.Errorf("after one call %d instances are there: expected 1", n)
	}
	b.Tend(now, []exec.Keep{{Func: square, Instances: 5}})
	waitUntil(t, "five instances are warm", func() bool { return warm() == 5 })
	if u, _ := b.Usage(square.Ref, now); u.ColdStarts != 1 || u.ColdStart == 0 {
		t.Errorf("%d cold starts of %v: expected the first call's", u.ColdStarts, u.ColdStart)
	}
	callSquare()
	b.Tend(now.Add(time.Second), nil)
	b.Tend(now.Add(2*time.Second), nil)
	if n := warm(); n != 5 {
		t.Errorf("%d instances are there before the grace is over: expected 5", n)
	}
	b.Tend(now.Add(33*time.Second), nil)
	if n := warm(); n != 2 {
		t.Errorf("%d instances are there after the grace: expected 2", n)
	}
	b.Tend(now.Add(11*time.Minute), nil)
	if hashes := b.Warm(); len(hashes) != 0 || b.MemoryInUse() != 0 || warm() != 0 {
		t.Errorf("after ten minutes without a call %v are compiled, %d bytes in use", hashes, b.MemoryInUse())
	}
	callSquare()
	if u, _ := b.Usage(square.Ref, time.Now()); u.ColdStarts != 2 || u.Warm != 1 {
		t.Errorf("back on demand: %+v", u)
	}
	if cold := b.ColdStarts(); cold.Count != 2 || cold.Sum <= 0 {
		t.Errorf("cold starts: %+v", cold)
	}
}

// What is kept is loaded though nobody has called it.
func TestWhatIsKeptIsReadyBeforeTheFirstCall(t *testing.T) {
	b := start(t, exec.Options{})
	square := guest(t, b)("square")
	keep := []exec.Keep{{Func: square, Instances: 2}}
	now := time.Now()
	waitUntil(t, "it is loaded", func() bool {
		b.Tend(now, keep)
		warm, _, _ := b.At(&square)
		return warm == 2
	})
	b.Tend(now.Add(time.Hour), keep)
	if warm, _, _ := b.At(&square); warm != 2 {
		t.Errorf("an hour later %d instances are there: expected 2", warm)
	}
	if _, err := call[int](t.Context(), b, square, nil, 5); err != nil {
		t.Fatal(err)
	}
	if cold := b.ColdStarts(); cold.Count != 0 {
		t.Errorf("the first call was a cold start: %+v", cold)
	}
}

// waitUntil waits for what happens in the background, and that nothing announces.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("a minute passed, and still not: %s", what)
		}
	}
}
