package run

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// with calls a function alone with options of a stage.
func with(q Request, o mesh.StageOptions) Request {
	q.Stage = &o
	return q
}

// flaky is a function that fails so often before it succeeds. It notes what
// it was executed as.
type flaky struct {
	failures int
	kind     mesh.ErrorKind

	mu   sync.Mutex
	seen []Invocation
	at   []time.Time
}

func (f *flaky) run(ctx context.Context, v Invocation) (mesh.Value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.at = append(f.seen, v), append(f.at, time.Now())
	if len(f.seen) <= f.failures {
		return mesh.Value{}, mesh.Errorf(f.kind, "", "boom")
	}
	return term(ctx, v)
}

func retries(n int, backoff, longest time.Duration) mesh.StageOptions {
	return mesh.StageOptions{Retry: mesh.Retry{Attempts: n, Backoff: backoff, Longest: longest}}
}

func TestAFunctionIsRetriedWithABackoff(t *testing.T) {
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			f := &flaky{failures: 4, kind: mesh.UserError}
			c.define("f", f.run, host)
			reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f", "1"), retries(5, time.Second, 3*time.Second)))
			if got := one(t, reply, err); got != "f(1)" {
				t.Errorf("on %s it gave %s", string(host), got)
			}
			ids := map[mesh.InvocationID]bool{}
			for i, v := range f.seen {
				ids[v.ID] = true
				if v.Work.ID != f.seen[0].Work.ID || (v.Work.Age() > 0) != (i > 0) {
					t.Errorf("execution %d is the work %v", i, v.Work)
				}
				if i == 0 {
					continue
				}
				longest := min(time.Second<<(i-1), 3*time.Second)
				if waited := f.at[i].Sub(f.at[i-1]); waited < longest/2 || waited > longest {
					t.Errorf("attempt %d came %v after the one before; want %v to %v", i+1, waited, longest/2, longest)
				}
			}
			if len(ids) != 5 {
				t.Errorf("5 executions had %d ids", len(ids))
			}
			r, err := c.nodes["n1"].Await(t.Context(), reply.ID, true)
			if err != nil || len(r.Reports) != 1 || r.Reports[0].Executions != 5 {
				t.Errorf("reports %+v, %v; want one of 5 executions", r.Reports, err)
			}
		})
	}
}

func TestOnlyWhatMayHelpIsRetried(t *testing.T) {
	for kind, want := range map[mesh.ErrorKind]int{
		mesh.UserError: 3, mesh.Unavailable: 3, mesh.DeadlineExceeded: 3, mesh.Overloaded: 3, mesh.Conflict: 3,
		mesh.Invalid: 1, mesh.NotFound: 1, mesh.Denied: 1, mesh.KindMismatch: 1, mesh.Internal: 1, mesh.Cancelled: 1,
	} {
		simulate(t, 1, 1, func(t *testing.T, c *cluster) {
			f := &flaky{failures: 9, kind: kind}
			c.define("f", f.run)
			_, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), retries(3, 0, 0)))
			if !errors.Is(err, kind) || !strings.Contains(err.Error(), "boom") || len(f.seen) != want {
				t.Errorf("%v: %d executions, %v; want %d", kind, len(f.seen), err, want)
			}
			if told := strings.Contains(err.Error(), "the last of 3 attempts"); told != (want > 1) {
				t.Errorf("%v: the error is %v", kind, err)
			}
		})
	}
}

func TestAnAttemptEndsWithItsTimeout(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 9), make(chan mesh.NodeID, 9)
		c.define("f", blocked(started, ended))
		c.declare("d", []string{"f"})
		o := retries(3, 0, 0)
		o.Timeout = 2 * time.Second
		c.dags["d"].Stages[0].StageOptions = o
		began := time.Now()
		_, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
		if !errors.Is(err, mesh.DeadlineExceeded) || !strings.Contains(err.Error(), "stage f took longer than its timeout of 2s") {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(began); took != 6*time.Second || len(ended) != 3 {
			t.Errorf("%d attempts ended within %v; want 3 in 6s", len(ended), took)
		}
	})
}

func TestTheRunsDeadlineEndsABackoff(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		f := &flaky{failures: 9, kind: mesh.UserError}
		c.define("f", f.run)
		q := with(callOf("f"), retries(9, time.Minute, time.Minute))
		q.Timeout = 3 * time.Second
		began := time.Now()
		_, err := c.nodes["n1"].Call(t.Context(), q)
		if took := time.Since(began); took != 3*time.Second || err == nil || len(f.seen) != 1 {
			t.Errorf("%d executions in %v, %v", len(f.seen), took, err)
		}
	})
}

func TestOptionsOfACallAreChecked(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		for text, o := range map[string]mesh.StageOptions{
			"101 attempts":          retries(101, 0, 0),
			"any of the parents'":   {Any: &mesh.AnyOf{}},
			"map of 2000 elements":  {Map: mesh.Map{Parallel: 2000}},
			"batch with map or hed": {Batch: mesh.Batch{Size: 2}, Hedge: mesh.Hedge{On: true}},
		} {
			if _, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), o)); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), text) {
				t.Errorf("%v; want Invalid with %q", err, text)
			}
		}
	})
}

// A run that was lost with a node is begun again as the same work.
func TestARunThatIsBegunAgainIsTheSameWork(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		var mu sync.Mutex
		var works []Invocation
		started := make(chan mesh.NodeID, 9)
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			mu.Lock()
			works = append(works, v)
			first := len(works) == 1
			mu.Unlock()
			if first {
				started <- v.ID.Node
				<-ctx.Done()
				return mesh.Value{}, ctx.Err()
			}
			return term(ctx, v)
		}, "n2", "n3")
		go func() { c.kill(<-started) }()
		reply, err := c.nodes["n1"].Call(t.Context(), callOf("f"))
		if got := one(t, reply, err); got != "f()" || len(works) != 2 {
			t.Fatalf("%s after %d executions", got, len(works))
		}
		if works[0].Work.ID != works[1].Work.ID || works[0].Work.Age() != 0 || works[1].Work.Age() == 0 {
			t.Errorf("the works are %v and %v", works[0].Work, works[1].Work)
		}
	})
}

func TestWhatNobodyRepeatsHasNoIDs(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		f := &flaky{}
		c.define("f", f.run)
		again := named(callOf("f"), mesh.NewRunID())
		again.Again = true
		for _, q := range []Request{callOf("f"), named(callOf("f"), mesh.NewRunID()), again} {
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []struct{ named, aged bool }{{false, false}, {true, false}, {true, true}} {
			if w := f.seen[i].Work; w.Named() != want.named || (w.Age() > 0) != want.aged {
				t.Errorf("call %d is the work %v; want named %v, aged %v", i, w, want.named, want.aged)
			}
		}
	})
}
