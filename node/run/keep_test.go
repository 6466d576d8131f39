package run

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// gate is a function that counts its invocations and waits to be let through.
type gate struct {
	open    chan struct{}
	entered atomic.Int32
}

func (g *gate) run(ctx context.Context, v Invocation) (mesh.Value, error) {
	g.entered.Add(1)
	select {
	case <-g.open:
		return term(ctx, v)
	case <-ctx.Done():
		return mesh.Value{}, ctx.Err()
	}
}

func future(q Request) Request {
	q.Future = true
	return q
}

func named(q Request, id mesh.RunID) Request {
	q.ID = id
	return q
}

// start calls f as a future at a node.
func (c *cluster) start(t *testing.T, node mesh.NodeID, q Request) mesh.RunID {
	t.Helper()
	reply, err := c.nodes[node].Call(t.Context(), q)
	if err != nil || len(reply.Results) != 0 {
		t.Fatalf("Call = %+v, %v: want an id alone", reply, err)
	}
	return reply.ID
}

func TestFutureIsPushedToAllWhoWait(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run, "n2")
		id := c.start(t, "n1", future(callOf("f", "1")))
		for _, node := range c.ids {
			if r, err := c.nodes[node].Await(t.Context(), id, true); err != nil || r.State != mesh.Running || r.Coordinator != "n1" {
				t.Errorf("at %s, meanwhile: %+v, %v", string(node), r, err)
			}
		}
		answers := make(chan Record, 3)
		for _, node := range c.ids {
			go func() {
				r, err := c.nodes[node].Await(t.Context(), id, false)
				if err != nil {
					t.Errorf("at %s: %v", string(node), err)
				}
				answers <- r
			}()
		}
		synctest.Wait()
		opened := time.Now()
		close(g.open)
		for range c.ids {
			if r := <-answers; r.State != mesh.Succeeded || string(r.Results[0].Value.Data) != "f(1)" {
				t.Errorf("answer %+v", r)
			}
		}
		if took := time.Since(opened); took != 0 {
			t.Errorf("the answer took %v on a network without delay", took)
		}
	})
}

func TestFutureOutlivesItsCallerAndCoordinator(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		reply, err := c.nodes["n1"].Call(ctx, future(callOf("f", "1")))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		close(g.open)
		synctest.Wait()
		c.kill("n1")
		r, err := c.nodes["n3"].Await(t.Context(), reply.ID, false)
		if err != nil || string(r.Results[0].Value.Data) != "f(1)" {
			t.Errorf("Await = %+v, %v", r, err)
		}
		<-time.After(DefaultResultTTL + time.Second)
		if _, err := c.nodes["n3"].Await(t.Context(), reply.ID, false); !errors.Is(err, mesh.NotFound) {
			t.Errorf("after its time to live: %v, want NotFound", err)
		}
	})
}

func TestFailedFuture(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", func(context.Context, Invocation) (mesh.Value, error) {
			return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "boom")
		})
		c.declare("d", []string{"f"})
		id := c.start(t, "n1", future(dagCall("d", nil)))
		synctest.Wait()
		for _, node := range c.ids {
			r, err := c.nodes[node].Await(t.Context(), id, false)
			if err != nil || r.State != mesh.Failed || r.Err.Kind != mesh.UserError || r.Err.Stage != "f" {
				t.Errorf("at %s: %+v, %v", string(node), r, err)
			}
		}
	})
}

func TestFutureWithoutAStoreIsRefused(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		close(g.open)
		c.define("f", g.run)
		c.saveErr = mesh.Errorf(mesh.Unavailable, "", "1 of 2 owners live")
		q := named(future(callOf("f", "1")), mesh.NewRunID())
		if _, err := c.nodes["n1"].Call(t.Context(), q); !errors.Is(err, mesh.Unavailable) || g.entered.Load() != 0 {
			t.Errorf("Call = %v after %d invocations, want Unavailable after none", err, g.entered.Load())
		}
		synctest.Wait()
		c.saveErr = nil
		if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
			t.Errorf("calling again: %v", err)
		}
	})
}

func TestAwaitOfTheUnknown(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		if _, err := c.nodes["n1"].Await(t.Context(), mesh.NewRunID(), false); !errors.Is(err, mesh.NotFound) {
			t.Errorf("Await = %v, want NotFound", err)
		}
		if err := c.nodes["n1"].Cancel(t.Context(), mesh.NewRunID()); !errors.Is(err, mesh.NotFound) {
			t.Errorf("Cancel = %v, want NotFound", err)
		}
	})
}

func TestAwaitWithADeadline(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", (&gate{}).run)
		id := c.start(t, "n1", future(callOf("f")))
		for _, node := range c.ids {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := c.nodes[node].Await(ctx, id, false); !errors.Is(err, mesh.DeadlineExceeded) {
				t.Errorf("at %s: %v, want DeadlineExceeded", string(node), err)
			}
			cancel()
		}
	})
}

func TestAwaitOfADeadCoordinator(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run)
		id := c.start(t, "n1", future(callOf("f", "1")))
		synctest.Wait()
		c.mu.Lock()
		first := c.records[id]
		c.mu.Unlock()
		c.kill("n1")
		c.mu.Lock()
		c.records[id] = first // a dying node's last word does not get out
		c.mu.Unlock()
		_, err := c.nodes["n2"].Await(t.Context(), id, false)
		if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "call again with the run's id") {
			t.Errorf("Await = %v, want Unavailable that says what to do", err)
		}
		close(g.open)
		reply, err := c.nodes["n2"].Call(t.Context(), named(callOf("f", "1"), id))
		if got := one(t, reply, err); got != "f(1)" || reply.ID != id || g.entered.Load() != 2 {
			t.Errorf("taken over: %s as %s after %d invocations", got, reply.ID, g.entered.Load())
		}
		waitForDeaths()
	})
}

func TestSameIDIsTheSameRun(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run)
		q := named(callOf("f", "1"), mesh.NewRunID())
		answers := make(chan string, 6)
		call := func(node mesh.NodeID) {
			reply, err := c.nodes[node].Call(t.Context(), q)
			answers <- one(t, reply, err)
		}
		for range 3 {
			go call("n1")
		}
		synctest.Wait()
		for range 3 {
			go call("n2")
		}
		synctest.Wait()
		close(g.open)
		for range 6 {
			if got := <-answers; got != "f(1)" {
				t.Errorf("answer %s", got)
			}
		}
		synctest.Wait()
		for _, node := range c.ids {
			reply, err := c.nodes[node].Call(t.Context(), q)
			if got := one(t, reply, err); got != "f(1)" {
				t.Errorf("later, at %s: %s", string(node), got)
			}
		}
		if g.entered.Load() != 1 {
			t.Errorf("%d invocations, want 1", g.entered.Load())
		}
	})
}

// A node that waits for a run of another takes it over when that one goes.
func TestFollowerTakesOver(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run)
		q := named(callOf("f", "1"), mesh.NewRunID())
		go c.nodes["n1"].Call(t.Context(), q)
		synctest.Wait()
		answer := make(chan string)
		go func() {
			reply, err := c.nodes["n2"].Call(t.Context(), q)
			answer <- one(t, reply, err)
		}()
		synctest.Wait()
		if g.entered.Load() != 1 {
			t.Errorf("%d invocations while the first coordinator lives", g.entered.Load())
		}
		c.kill("n1")
		synctest.Wait()
		close(g.open)
		if got := <-answer; got != "f(1)" || g.entered.Load() != 2 {
			t.Errorf("%s after %d invocations", got, g.entered.Load())
		}
		record, err := c.nodes["n2"].Await(t.Context(), q.ID, false)
		if err != nil || record.Coordinator != "n2" || record.Attempt != 1+takenOn {
			t.Errorf("record %+v, %v", record, err)
		}
		waitForDeaths()
	})
}

// A caller who drew the id may lose its connection, come back, and get the
// result of the run that went on.
func TestNamedRunGoesOnWithoutItsCaller(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run)
		q := named(callOf("f", "1"), mesh.NewRunID())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		if _, err := c.nodes["n1"].Call(ctx, q); !errors.Is(err, mesh.Cancelled) {
			t.Errorf("Call = %v, want Cancelled", err)
		}
		close(g.open)
		reply, err := c.nodes["n1"].Call(t.Context(), q)
		if got := one(t, reply, err); got != "f(1)" || g.entered.Load() != 1 {
			t.Errorf("%s after %d invocations", got, g.entered.Load())
		}
	})
}

func TestCancel(t *testing.T) {
	for _, at := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 3, 1, func(t *testing.T, c *cluster) {
			started, ended := make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)
			c.define("f", blocked(started, ended), "n3")
			id := c.start(t, "n1", future(callOf("f")))
			<-started
			if err := c.nodes[at].Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			<-ended
			synctest.Wait()
			r, err := c.nodes["n2"].Await(t.Context(), id, false)
			if err != nil || r.State != mesh.Failed || r.Err.Kind != mesh.Cancelled {
				t.Errorf("cancelled at %s: %+v, %v", string(at), r, err)
			}
			if err := c.nodes[at].Cancel(t.Context(), id); err != nil {
				t.Errorf("cancelling twice: %v", err)
			}
		})
	}
}

func TestTimeoutOfAFuture(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("f", (&gate{}).run)
		q := future(callOf("f"))
		q.Timeout = 5 * time.Second
		start := time.Now()
		r, err := c.nodes["n1"].Await(t.Context(), c.start(t, "n1", q), false)
		if err != nil || r.Err == nil || r.Err.Kind != mesh.DeadlineExceeded || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %+v, %v", time.Since(start), r, err)
		}
	})
}
