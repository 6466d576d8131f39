package run

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
	"github.com/virga-mesh/virga/sdk/codec"
)

// summing gives for each list of numbers their sum, and counts batches.
type summing struct {
	mu      sync.Mutex
	batches [][]int // sums
}

func (s *summing) run(_ context.Context, v Invocation) (mesh.Value, error) {
	var lists [][]int
	if err := codec.Decode(v.Args[0], &lists); err != nil || len(v.Args) != 1 {
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "", "%d arguments: %v", len(v.Args), err)
	}
	sums := make([]int, len(lists))
	for i, list := range lists {
		for _, n := range list {
			sums[i] += n
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, sums)
	return codec.Encode(sums)
}

func batchOf(size int, within time.Duration) mesh.StageOptions {
	return mesh.StageOptions{Batch: mesh.Batch{Size: size, Within: within}}
}

// callAll calls f so often at once, the nth time with n as its argument.
func callAll(t *testing.T, c *cluster, n int, o mesh.StageOptions, check func(i int, r Reply, err error)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			q := with(callOf("f"), o)
			q.Args = []Arg{jsonArg(fmt.Sprint(i)), jsonArg("1000")}
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			check(i, reply, err)
		})
	}
	all.Wait()
}

func TestCallsAreGatheredIntoBatches(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		s := &summing{}
		c.define("f", s.run)
		began := time.Now()
		callAll(t, c, 10, batchOf(4, time.Second), func(i int, r Reply, err error) {
			var got int
			if err != nil || codec.Decode(r.Results[0].Value, &got) != nil || got != 1000+i {
				t.Errorf("call %d got %d, %v", i, got, err)
			}
		})
		if took := time.Since(began); took != time.Second || len(s.batches) != 3 || len(s.batches[2]) != 2 {
			t.Errorf("10 calls took %v in the batches %v", took, s.batches)
		}
		if n := c.nodes["n1"].Counts(); n.Batches != 3 || n.Batched != 10 {
			t.Errorf("counts are %+v", n)
		}
	})
}

// Many runs of a DAG whose batched stage joins two parents: each gets what belongs to it.
func TestBatchesWithFanInKeepResultsApart(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		c.delay = 20 * time.Millisecond
		s := &summing{}
		c.define("left", double)
		c.define("right", func(_ context.Context, v Invocation) (mesh.Value, error) { return v.Args[0], nil }, "n2", "n3")
		c.define("join", s.run, "n3")
		c.declare("d", []string{"left", "right", "join"}, "left:join", "right:join")
		c.dags["d"].Stages[2].StageOptions = batchOf(8, 50*time.Millisecond)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				arg := []Arg{jsonArg(fmt.Sprint(i))}
				reply, err := c.nodes[c.ids[i%2]].Call(t.Context(), dagCall("d", map[string][]Arg{"left": arg, "right": arg}))
				var got int
				if err != nil || codec.Decode(reply.Results[0].Value, &got) != nil || got != 3*i {
					t.Errorf("run %d got %d, %v; want %d", i, got, err, 3*i)
				}
			})
		}
		all.Wait()
		if len(s.batches) >= 100 {
			t.Errorf("100 runs made %d batches", len(s.batches))
		}
	})
}

func TestAResultOfAnotherLengthIsAnErrorToAll(t *testing.T) {
	for text, result := range map[string]any{"has 2 elements: expected 3": []int{1, 2}, "expected a list": 7} {
		simulate(t, 1, 1, func(t *testing.T, c *cluster) {
			c.define("f", func(context.Context, Invocation) (mesh.Value, error) { return codec.Encode(result) })
			callAll(t, c, 3, batchOf(3, time.Second), func(i int, _ Reply, err error) {
				if !errors.Is(err, mesh.UserError) || !strings.Contains(err.Error(), text) {
					t.Errorf("call %d: %v; want UserError with %q", i, err, text)
				}
			})
		})
	}
}

func TestWhoLeavesABatchDoesNotEndIt(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		s := &summing{}
		entered, release := make(chan struct{}), make(chan struct{})
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			close(entered)
			select {
			case <-release:
				return s.run(ctx, v)
			case <-ctx.Done():
				return mesh.Value{}, ctx.Err()
			}
		})
		var all sync.WaitGroup
		call := func(i int, within time.Duration, kind mesh.ErrorKind, ok bool) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), within)
				defer cancel()
				q := with(callOf("f"), batchOf(9, time.Second))
				q.Args = []Arg{jsonArg(fmt.Sprint(i))}
				if _, err := c.nodes["n1"].Call(ctx, q); (err == nil) != ok || !ok && !errors.Is(err, kind) {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		call(0, 500*time.Millisecond, mesh.DeadlineExceeded, false) // leaves while the batch is gathered
		call(1, 2*time.Second, mesh.DeadlineExceeded, false)        // while it runs
		call(2, time.Minute, 0, true)
		<-entered
		time.Sleep(5 * time.Second)
		close(release)
		all.Wait()
		if len(s.batches) != 1 || len(s.batches[0]) != 2 {
			t.Errorf("the batches are %v; want one of two", s.batches)
		}
	})
}

func TestABatchThatAllLeaveIsCancelled(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		if _, err := c.nodes["n1"].Call(ctx, with(callOf("f"), batchOf(2, 0))); !errors.Is(err, mesh.Cancelled) {
			t.Errorf("the error is %v", err)
		}
		<-ended
	})
}

func TestTheTimeoutOfABatchCountsFromItsBeginning(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
		c.define("f", blocked(started, ended))
		o := batchOf(2, 3*time.Second)
		o.Timeout = time.Second
		began := time.Now()
		_, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), o))
		if !errors.Is(err, mesh.DeadlineExceeded) || !strings.Contains(err.Error(), "timeout of 1s") || time.Since(began) != 4*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestBatchesAreBounded(t *testing.T) {
	simulateWith(t, Config{MaxBytes: 4 * batchCallOverhead}, 1, 1, func(t *testing.T, c *cluster) {
		s := &summing{}
		c.define("f", s.run)
		overloaded := 0
		var mu sync.Mutex
		callAll(t, c, 9, batchOf(100, time.Second), func(_ int, _ Reply, err error) {
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, mesh.Overloaded) {
				overloaded++
			}
		})
		if overloaded == 0 || overloaded == 9 {
			t.Errorf("%d of 9 calls were Overloaded", overloaded)
		}
	})
}

func TestCloseEndsWhatIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, 1, Config{})
		c.define("f", term)
		done := make(chan error, 1)
		go func() {
			_, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), batchOf(2, 10*time.Second)))
			done <- err
		}()
		synctest.Wait()
		c.nodes["n1"].Close()
		if err := <-done; !errors.Is(err, mesh.Unavailable) {
			t.Errorf("the error is %v", err)
		}
		c.close()
	})
}
