package run

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func hedge(after time.Duration) mesh.StageOptions {
	return mesh.StageOptions{Hedge: mesh.Hedge{On: true, After: after}}
}

// held is a function that one node holds up until it is cancelled.
func held(up mesh.NodeID, ended chan<- mesh.NodeID) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		if v.ID.Node != up {
			return text("by " + string(v.ID.Node)), nil
		}
		<-ctx.Done()
		ended <- v.ID.Node
		return mesh.Value{}, ctx.Err()
	}
}

func TestASecondCopyWinsWhenTheFirstIsHeldUp(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		ended := make(chan mesh.NodeID, 1)
		c.define("f", held("n1", ended))
		began := time.Now()
		reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(time.Second)))
		if got := one(t, reply, err); got != "by n2" || time.Since(began) != time.Second {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		<-ended // the first copy is cancelled
		if n := c.nodes["n1"].Counts(); n.Hedges != 1 || n.HedgesWon != 1 {
			t.Errorf("counts are %+v", n)
		}
	})
}

func TestCopiesAreOneWork(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		var mu sync.Mutex
		var seen []Invocation
		c.define("f", func(_ context.Context, v Invocation) (mesh.Value, error) {
			mu.Lock()
			seen = append(seen, v)
			mu.Unlock()
			time.Sleep(2 * time.Second)
			return text("by " + string(v.ID.Node)), nil
		})
		reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(time.Second)))
		mu.Lock()
		defer mu.Unlock()
		if got := one(t, reply, err); got != "by n1" || len(seen) != 2 {
			t.Fatalf("%s, of %d copies", got, len(seen))
		}
		if seen[0].Work.ID != seen[1].Work.ID || seen[0].Work.Age() != 0 || seen[1].Work.Age() == 0 || seen[0].ID.Node == seen[1].ID.Node {
			t.Errorf("the copies are %+v", seen)
		}
	})
}

func TestWhatFailsIsNotHedged(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		f := &flaky{failures: 1, kind: mesh.UserError}
		c.define("f", f.run)
		if _, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(time.Second))); !errors.Is(err, mesh.UserError) || len(f.seen) != 1 {
			t.Errorf("%d executions, %v", len(f.seen), err)
		}
		o := hedge(time.Second)
		o.Retry = mesh.Retry{Attempts: 2}
		f.seen = nil
		reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), o))
		if got := one(t, reply, err); got != "f()" || len(f.seen) != 2 {
			t.Errorf("%s after %d executions", got, len(f.seen))
		}
	})
}

func TestWithoutAnotherNodeNothingIsHedged(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			time.Sleep(3 * time.Second)
			return term(ctx, v)
		})
		reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(time.Second)))
		if got := one(t, reply, err); got != "f()" || c.nodes["n1"].Counts().Hedges != 0 {
			t.Errorf("%s, %d hedges", got, c.nodes["n1"].Counts().Hedges)
		}
	})
}

func TestHedgesAreAShareOfInvocations(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			time.Sleep(2 * time.Second)
			return term(ctx, v)
		})
		const calls = 100
		for range calls {
			if _, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(time.Second))); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.nodes["n1"].Counts().Hedges; n == 0 || n > calls/hedgeEvery+1 {
			t.Errorf("%d of %d invocations were hedged", n, calls)
		}
	})
}

func TestAFunctionIsHedgedAfterWhatItTookLately(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		ended := make(chan mesh.NodeID, 1)
		var calls atomic.Int32
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			if calls.Add(1) > paceSamples {
				return held("n1", ended)(ctx, v)
			}
			time.Sleep(100 * time.Millisecond)
			return term(ctx, v)
		})
		for range paceSamples {
			if _, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(0))); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		reply, err := c.nodes["n1"].Call(t.Context(), with(callOf("f"), hedge(0)))
		took := time.Since(began)
		if got := one(t, reply, err); got != "by n2" || took < 100*time.Millisecond || took > 130*time.Millisecond {
			t.Errorf("%s after %v; want a copy after some 100ms", got, took)
		}
		<-ended
	})
}

func TestAPaceTellsTheTimeThatMostDidNotExceed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f := &pace{}
		var times []time.Duration
		for range 20 + rng.IntN(400) {
			took := time.Duration(rng.Int64N(int64(time.Microsecond) << rng.IntN(36)))
			times = append(times, took)
			f.add(took)
		}
		slices.Sort(times)
		exact, got := times[len(times)*95/100], f.quantile(0.95)
		if got < exact || got > max(exact*5/4, 2)+2*time.Microsecond {
			t.Errorf("of %d times the 95th percentile is %v, and was told as %v", len(times), exact, got)
		}
	}
}

func TestAPaceForgets(t *testing.T) {
	f := &pace{}
	for range 400 {
		f.add(time.Hour)
	}
	for range 20 * paceMemory {
		f.add(time.Millisecond)
	}
	if got := f.quantile(0.95); got > 2*time.Millisecond || f.total > paceMemory {
		t.Errorf("it tells %v of %d samples", got, f.total)
	}
	p := newPaces()
	for i := range 3 * pacedFunctions {
		p.end(mesh.FuncRef{Name: string(rune(i))}, time.Second)
	}
	if len(p.byFunc) > pacedFunctions {
		t.Errorf("%d functions are remembered; want at most %d", len(p.byFunc), pacedFunctions)
	}
}
