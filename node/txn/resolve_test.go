package txn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// halfway has the home of a transaction make all its writes but not seal them
// until it may, and gives the stamp.
func (w *world) halfway(names ...string) (at lattice.Stamp, may func()) {
	w.t.Helper()
	var sealing atomic.Bool
	w.set(func() {
		w.fails = func(by mesh.NodeID, method string, _ mesh.Key) error {
			if by == w.names[home] && method == "write" && w.count("write") > len(names) && !sealing.Load() {
				return errLost
			}
			return nil
		}
	})
	if _, err := w.at(home).Commit(w.t.Context(), sets("v", names...), lattice.Past{}); err != nil {
		w.t.Fatal(err)
	}
	v, err := w.at(1).quorum(w.t.Context(), key(names[0]))
	if err != nil || v.sealed || v.value != "v" {
		w.t.Fatal(v, err)
	}
	return v.at, func() { sealing.Store(true) }
}

// resolvers has several callers at each of some nodes resolve a transaction.
func (w *world) resolvers(at lattice.Stamp, nodes ...int) (all *sync.WaitGroup) {
	all = new(sync.WaitGroup)
	for range 10 {
		for _, i := range nodes {
			all.Go(func() {
				if err := w.at(i).Resolve(w.t.Context(), at); err != nil {
					w.t.Errorf("node %d: %v", i, err)
				}
				if !w.sealed("a", "b") {
					w.t.Errorf("node %d: it was resolved, and is not sealed", i)
				}
			})
		}
	}
	return all
}

func TestWhoResolvesWaitsForTheHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, may := w.halfway("a", "b")
		begun := time.Now()
		all := w.resolvers(at, 0, 1, 2, home)
		synctest.Wait()
		may()
		all.Wait()
		if time.Since(begun) > longestPause || w.count("record") > 0 || w.count("await") != 3 {
			t.Errorf("after %v, with %v", time.Since(begun), w.asked)
		}
		synctest.Wait()
		if err := w.at(1).Resolve(t.Context(), at); err != nil || w.count("record") != 1 {
			t.Errorf("once it is over: %v, with %v", err, w.asked)
		}
	})
}

func TestAHomeThatDoesNotGetOnIsHelped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, _ := w.halfway("a", "b")
		begun := time.Now()
		w.resolvers(at, 0, 1, 2).Wait()
		if waited := time.Since(begun); waited < w.at(1).Patience || waited > w.at(1).Patience+time.Second {
			t.Errorf("after %v", waited)
		}
		if w.left() > 0 {
			t.Error("the record is still there")
		}
	})
}

func TestWhatADeadHomeLeftIsCompletedOnceByEachNodeThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.lag = time.Millisecond
		at, _ := w.halfway("a", "b")
		w.set(func() { w.dead[w.names[home]] = true })
		w.at(home).Close()
		begun := time.Now()
		w.resolvers(at, 0, 1, 2).Wait()
		if time.Since(begun) > time.Second || w.count("record") != 3 || w.count("await") > 0 {
			t.Errorf("after %v, with %v", time.Since(begun), w.asked)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		w.sweep(10 * time.Second)
		if w.left() > 0 {
			t.Error("the record is still there")
		}
	})
}

func TestAHomeThatWasStartedAnewDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, _ := w.halfway("a", "b")
		w.at(home).Close()
		w.set(func() { w.fails = nil })
		w.start(home)
		reply, err := w.at(home).HandleAwaitCommit(t.Context(), "n1", &pb.AwaitCommit{Time: at.Time})
		if err != nil || reply.Known {
			t.Error(reply, err)
		}
		w.resolvers(at, 0, 1, 2, home).Wait()
	})
}

func TestAnEffortToResolveDoesNotEndWithWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, may := w.halfway("a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { first <- w.at(1).Resolve(ctx, at) }()
		synctest.Wait()
		second := make(chan error)
		go func() { second <- w.at(1).Resolve(t.Context(), at) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, mesh.Cancelled) {
			t.Error(err)
		}
		may()
		if err := <-second; err != nil || w.count("await") != 1 {
			t.Error(err, w.asked)
		}
	})
}

// A write that is not sealed is not taken for sealed because its owners, or those
// of the record, cannot be reached.
func TestWithoutMostOwnersNothingIsResolved(t *testing.T) {
	for _, method := range []string{"record", "keep", "write"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			at, _ := w.halfway("a", "b")
			w.set(func() { w.dead[w.names[home]] = true })
			w.at(home).Close()
			until := w.failing(method, errLost)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := w.at(1).Resolve(ctx, at); !errors.Is(err, mesh.DeadlineExceeded) {
				t.Errorf("%s: %v", method, err)
			}
			if err := w.at(1).Resolve(t.Context(), at); !errors.Is(err, mesh.Unavailable) {
				t.Errorf("%s: %v", method, err)
			}
			until()
			if err := w.at(1).Resolve(t.Context(), at); err != nil || !w.sealed("a", "b") {
				t.Errorf("%s: %v", method, err)
			}
		})
	}
}

func TestClosingEndsWhoResolvesAndWhoWaitsForTheHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, _ := w.halfway("a", "b")
		ended := make(chan error, 2)
		go func() { ended <- w.at(1).Resolve(t.Context(), at) }()
		synctest.Wait()
		w.at(1).Close()
		if err := <-ended; !errors.Is(err, mesh.Unavailable) {
			t.Error(err)
		}
		go func() {
			reply, err := w.at(home).HandleAwaitCommit(t.Context(), "n1", &pb.AwaitCommit{Time: at.Time})
			if err == nil && reply.Known {
				err = errors.New("it says that all is sealed")
			}
			ended <- err
		}()
		synctest.Wait()
		w.at(home).Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := w.at(1).Resolve(t.Context(), at); !errors.Is(err, mesh.Unavailable) {
			t.Error(err)
		}
	})
}

func TestAHomeIsNotAwaitedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, func(o *Options) { o.Linger = 2 * time.Second })
		w.lag = 0
		until := w.failing("keep", errLost)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := w.at(home).Commit(ctx, sets("v", "a", "b"), lattice.Past{})
			done <- err
		}()
		synctest.Wait()
		var at lattice.Stamp
		w.at(home).mu.Lock()
		for at = range w.at(home).commits {
		}
		w.at(home).mu.Unlock()
		if _, err := w.at(home).HandleAwaitCommit(t.Context(), "n1", &pb.AwaitCommit{Time: at.Time}); !errors.Is(err, mesh.DeadlineExceeded) {
			t.Error(err)
		}
		until()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNoTimeIsNoTransaction(t *testing.T) {
	w := newWorld(t, 4)
	if err := w.at(1).Resolve(t.Context(), lattice.Stamp{}); err != nil {
		t.Error(err)
	}
	if _, err := w.at(1).HandleAwaitCommit(t.Context(), "n2", &pb.AwaitCommit{}); !errors.Is(err, mesh.Invalid) {
		t.Error(err)
	}
}

func TestOnlySoManyTransactionsAreResolvedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at, may := w.halfway("a", "b")
		n := w.at(1)
		n.mu.Lock()
		for i := range maxFlights {
			n.flights[lattice.Stamp{Time: uint64(i + 1)}] = &flight{settled: make(step)}
		}
		n.mu.Unlock()
		if err := n.Resolve(t.Context(), at); !errors.Is(err, mesh.Overloaded) {
			t.Error(err)
		}
		n.forget(lattice.Stamp{Time: 1})
		may()
		if err := n.Resolve(t.Context(), at); err != nil {
			t.Error(err)
		}
	})
}
