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

var outputKey = mesh.Key{Namespace: mesh.DefaultNamespace, Name: "result"}

func then(q Request, output mesh.Key, name string) Request {
	q.After = &After{Output: output}
	if name != "" {
		q.After.Then = fnRef(name)
	}
	return q
}

func TestTheResultIsStoredBeforeItIsTold(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		c.define("g", term, "n2")
		c.declare("d", []string{"f", "g"})
		for want, q := range map[string]Request{
			"f(1)": callOf("f", "1"), "g(1)": callOf("g", "1"), "f(2)": named(callOf("f", "2"), mesh.NewRunID()),
			"\xa2af" + "cf()" + "ag" + "cg()": dagCall("d", nil),
		} {
			q = then(q, outputKey, "")
			if _, err := c.nodes["n1"].Call(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if got := string(c.keys[outputKey].Data); got != want {
				t.Errorf("%q is stored; want %q", got, want)
			}
		}
		q := future(then(callOf("f", "3"), outputKey, ""))
		id := c.start(t, "n1", q)
		if r, err := c.nodes["n2"].Await(t.Context(), id, false); err != nil || r.Undelivered != nil || string(c.keys[outputKey].Data) != "f(3)" {
			t.Errorf("%+v, %v; %q is stored", r, err, c.keys[outputKey].Data)
		}
	})
}

func TestAResultThatCannotBeStoredIsTheCallsError(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		var executed atomic.Int32
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			executed.Add(1)
			return term(ctx, v)
		})
		setError := func(err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.outputErr = err
		}
		for _, node := range c.ids { // a retry at the same node, and at another
			setError(mesh.Errorf(mesh.KindMismatch, "", "it holds a set"))
			id := mesh.NewRunID()
			q := named(then(callOf("f", string(node)), outputKey, "f"), id)
			_, err := c.nodes["n1"].Call(t.Context(), q)
			if !errors.Is(err, mesh.KindMismatch) || !strings.Contains(err.Error(), "not stored under default/result") {
				t.Errorf("the error is %v", err)
			}
			synctest.Wait()
			if r, err := c.nodes["n2"].Await(t.Context(), id, false); err != nil || r.State != mesh.Succeeded || r.Undelivered == nil {
				t.Errorf("the record is %+v, %v", r, err)
			}
			before := executed.Load()
			setError(nil)
			reply, err := c.nodes[node].Call(t.Context(), q)
			if got := one(t, reply, err); got != "f("+string(node)+")" || string(c.keys[outputKey].Data) != got || reply.Next != id.Next() {
				t.Errorf("a retry at %s gave %s, stored is %s, next %s", string(node), got, c.keys[outputKey].Data, reply.Next)
			}
			synctest.Wait()
			if n := executed.Load() - before; n != 1 {
				t.Errorf("a retry at %s executed %d times; want the continuation alone", string(node), n)
			}
			if r, err := c.nodes["n2"].Await(t.Context(), id, false); err != nil || r.Undelivered != nil || r.Next != id.Next() {
				t.Errorf("after the retry the record is %+v, %v", r, err)
			}
		}
	})
}

func TestTheNextRunStartsWithTheResult(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		c.define("g", term, "n2")
		c.declare("d", []string{"f", "g"})
		c.declare("e", []string{"f", "g", "join"}, "f:join", "g:join")
		c.define("join", term)
		for _, call := range []struct {
			q    Request
			then string
			want string
		}{
			{callOf("f", "1"), "g", "g(f(1))"},
			{callOf("g", "1"), "e", "join(f(g(1)) g(g(1)))"},
			{named(callOf("f", "1"), mesh.NewRunID()), "e", "join(f(f(1)) g(f(1)))"},
			{dagCall("d", nil), "g", "g(\xa2afcf()agcg())"},
		} {
			reply, err := c.nodes["n1"].Call(t.Context(), then(call.q, mesh.Key{}, call.then))
			if err != nil || reply.Next != reply.ID.Next() {
				t.Fatalf("%+v, %v", reply, err)
			}
			r, err := c.nodes["n2"].Await(t.Context(), reply.Next, false)
			if err != nil || len(r.Results) != 1 || string(r.Results[0].Value.Data) != call.want {
				t.Errorf("the next run gave %+v, %v; want %s", r.Results, err, call.want)
			}
		}
	})
}

func TestWhatCannotContinueIsRefusedBeforeTheRun(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		f := &flaky{}
		c.define("f", f.run)
		for text, q := range map[string]Request{
			"neither a dag nor a function is named nosuch": then(callOf("f"), mesh.Key{}, "nosuch"),
			"for nodes only": then(callOf("f"), mesh.Key{Namespace: mesh.SystemNamespace, Name: "k"}, ""),
			"0 characters":   then(callOf("f"), mesh.Key{Name: "k"}, ""),
		} {
			_, err := c.nodes["n1"].Call(t.Context(), q)
			if err == nil || !strings.Contains(err.Error(), text) && text != "0 characters" || len(f.seen) > 0 {
				t.Errorf("%v after %d executions; want %q", err, len(f.seen), text)
			}
		}
	})
}

// A coordinator dies while its run goes on; the caller calls again elsewhere.
func TestTheNextRunStartsOnceThoughTheCoordinatorDies(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		var continued atomic.Int32
		c.define("f", g.run, "n3")
		c.define("g", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			continued.Add(1)
			return term(ctx, v)
		}, "n2", "n3")
		id := mesh.NewRunID()
		q := named(then(callOf("f", "1"), outputKey, "g"), id)
		go c.nodes["n1"].Call(t.Context(), q)
		synctest.Wait()
		c.kill("n1")
		time.Sleep(2 * time.Second)
		close(g.open)
		for range 2 {
			reply, err := c.nodes["n2"].Call(t.Context(), q)
			if got := one(t, reply, err); got != "f(1)" || reply.Next != id.Next() || string(c.keys[outputKey].Data) != got {
				t.Errorf("%s, next %s", got, reply.Next)
			}
			r, err := c.nodes["n3"].Await(t.Context(), id.Next(), false)
			if err != nil || string(r.Results[0].Value.Data) != "g(f(1))" {
				t.Errorf("the next run gave %+v, %v", r, err)
			}
		}
		if n := continued.Load(); n != 1 {
			t.Errorf("the next run was executed %d times", n)
		}
		if n := c.written[string(id[:])]; n != 1 {
			t.Errorf("the result was written %d times", n)
		}
	})
}
