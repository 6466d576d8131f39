package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func TestSingleFunction(t *testing.T) {
	for _, where := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.define("f", term, where)
			reply, err := c.nodes["n1"].Call(t.Context(), callOf("f", "1", "2"))
			if got := one(t, reply, err); got != "f(1 2)" || reply.ID == (mesh.RunID{}) {
				t.Errorf("on %s: %q, run %s", string(where), got, reply.ID)
			}
			if synctest.Wait(); c.messages("EndRun") != 0 || c.messages("Hop") != c.messages("SinkResult") {
				t.Errorf("messages: %v", c.sent)
			}
		})
	}
}

// What a function returns arrives as one argument, whatever is in it, and
// nothing at all is an argument too.
func TestResultsAreHandedOnAsTheyAre(t *testing.T) {
	values := []mesh.Value{
		{Format: mesh.CBOR, Data: []byte{0x82, 1, 2}}, // a list of two
		{Format: mesh.CBOR, Data: []byte{0x80}},       // an empty list
		{Format: mesh.JSON, Data: []byte("[1,[2]]")},
		{Format: mesh.Raw, Data: []byte{}},
		{Format: mesh.Raw, Data: []byte("\x80\x04\x95")}, // looks like a pickle
		{Format: mesh.Text},
		{}, // no value
	}
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		for _, v := range values {
			simulate(t, 2, 1, func(t *testing.T, c *cluster) {
				c.define("give", func(context.Context, Invocation) (mesh.Value, error) { return v, nil }, "n1")
				c.define("take", func(_ context.Context, got Invocation) (mesh.Value, error) {
					if len(got.Args) != 1 || got.Args[0].Format != v.Format || string(got.Args[0].Data) != string(v.Data) {
						t.Errorf("%v arrived as %v", v, got.Args)
					}
					return got.Args[0], nil
				}, host)
				c.declare("d", []string{"give", "take"}, "give:take")
				reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
				if one(t, reply, err) != string(v.Data) || reply.Results[0].Value.Format != v.Format {
					t.Errorf("%v came back as %v", v, reply.Results[0].Value)
				}
			})
		}
	}
}

func TestErrorsNameTheirStage(t *testing.T) {
	boom := func(context.Context, Invocation) (mesh.Value, error) {
		return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "boom")
	}
	nested := func(context.Context, Invocation) (mesh.Value, error) {
		return mesh.Value{}, &mesh.Error{Kind: mesh.UserError, Stage: "inner", Msg: "boom"}
	}
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.define("ok", term)
			c.define("boom", boom, host)
			c.define("nested", nested, host)
			c.declare("d", []string{"ok", "boom", "late"}, "ok:boom", "boom:late")
			c.declare("e", []string{"nested"})
			c.define("late", term)
			n1 := c.nodes["n1"]
			for _, call := range []struct {
				q     Request
				stage string
				text  string
			}{
				{dagCall("d", nil), "boom", "boom"},
				{dagCall("e", nil), "nested", "stage inner: UserError: boom"},
				{callOf("boom"), "", "boom"},
			} {
				_, err := n1.Call(t.Context(), call.q)
				var e *mesh.Error
				if !errors.As(err, &e) || e.Kind != mesh.UserError || e.Stage != call.stage || e.Text() != call.text {
					t.Errorf("%s: %v, want UserError of stage %q: %s", call.q.target(), err, call.stage, call.text)
				}
				if host == "n2" && e.Node != "n2" {
					t.Errorf("%s: the error is of node %q", call.q.target(), string(e.Node))
				}
			}
		})
	}
}

func TestWhatCannotBePlannedFailsAtOnce(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		c.define("gone", term, "n9")
		c.declare("d", []string{"f", "nosuch"})
		c.declare("ok", []string{"f"})
		place := func(stage string, node mesh.NodeID) Request {
			q := dagCall("ok", nil)
			q.Place = map[string]mesh.NodeID{stage: node}
			return q
		}
		policy := callOf("f")
		policy.Policy = "best"
		for _, call := range []struct {
			name string
			q    Request
			kind mesh.ErrorKind
			text string
		}{
			{"function", callOf("nosuch"), mesh.NotFound, "call nosuch: NotFound: no function nosuch"},
			{"dag", dagCall("nosuch", nil), mesh.NotFound, "call nosuch: NotFound: no dag nosuch"},
			{"function of a stage", dagCall("d", nil), mesh.NotFound, "stage nosuch"},
			{"arguments of no stage", dagCall("ok", map[string][]Arg{"g": nil}), mesh.Invalid, `stage "g" is not declared`},
			{"no host", callOf("gone"), mesh.Unavailable, "no live node hosts"},
			{"pin of no stage", place("g", "n1"), mesh.Invalid, `stage "g"`},
			{"pin to no node", place("f", "n9"), mesh.Unavailable, "not live"},
			{"policy", policy, mesh.Invalid, `policy "best"`},
		} {
			if _, err := c.nodes["n1"].Call(t.Context(), call.q); !errors.Is(err, call.kind) || !strings.Contains(err.Error(), call.text) {
				t.Errorf("%s: %v, want %v with %q", call.name, err, call.kind, call.text)
			}
		}
	})
}

func TestDryRunPlansOnly(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", func(context.Context, Invocation) (mesh.Value, error) {
			t.Error("a dry run ran")
			return mesh.Value{}, nil
		}, "n2")
		c.declare("d", []string{"f"})
		for _, q := range []Request{dagCall("d", nil), callOf("f")} {
			q.DryRun = true
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			if err != nil || len(reply.Plan) != 1 || reply.Plan[0].Node != "n2" || reply.Plan[0].Why == "" || reply.Plan[0].Func.Version != "v1" {
				t.Errorf("%s: %+v, %v", q.target(), reply, err)
			}
		}
	})
}

func TestArgumentsByReference(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		c.define("g", term, "n2")
		c.declare("d", []string{"f", "g"}, "f:g")
		x, y := mesh.Key{Namespace: "default", Name: "x"}, mesh.Key{Namespace: "default", Name: "y"}
		c.keys[x], c.keys[y] = text("X"), text("Y")
		args := []Arg{{Ref: mesh.Reference{Key: x}}, {Value: text("1")}, {Ref: mesh.Reference{Key: y}}}
		n1 := c.nodes["n1"]
		reply, err := n1.Call(t.Context(), Request{Func: fnRef("f"), Args: args})
		if got := one(t, reply, err); got != "f(X 1 Y)" {
			t.Errorf("f = %s", got)
		}
		reply, err = n1.Call(t.Context(), dagCall("d", map[string][]Arg{"f": args[:1], "g": args}))
		if got := one(t, reply, err); got != "g(X 1 Y f(X))" {
			t.Errorf("d = %s", got)
		}
		delete(c.keys, y)
		_, err = n1.Call(t.Context(), dagCall("d", map[string][]Arg{"g": args}))
		if !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "stage g") || !strings.Contains(err.Error(), "key default/y") {
			t.Errorf("a missing key: %v", err)
		}
	})
}

// A chain on one node is a loop: the stack of its last stage is not deeper
// than that of its first, it stays on one goroutine, and keeps the deadline.
func TestLongChainHere(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		var depths []int
		var deadlines []time.Time
		stages := make([]string, mesh.MaxStages)
		var edges []string
		for i := range stages {
			stages[i] = fmt.Sprintf("s%d", i)
			if i > 0 {
				edges = append(edges, stages[i-1]+":"+stages[i])
			}
			c.define(stages[i], func(ctx context.Context, v Invocation) (mesh.Value, error) {
				depths = append(depths, runtime.Callers(0, make([]uintptr, 1000)))
				deadline, _ := ctx.Deadline()
				deadlines = append(deadlines, deadline)
				return text(v.ID.Stage), nil
			})
		}
		c.declare("d", stages, edges...)
		reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
		if got := one(t, reply, err); got != stages[len(stages)-1] {
			t.Errorf("the chain gave %s", got)
		}
		if len(slices.Compact(depths)) != 1 || len(slices.Compact(deadlines)) != 1 {
			t.Errorf("stacks of %v frames, deadlines %v", slices.Compact(depths), slices.Compact(deadlines))
		}
	})
}

// A wide DAG on several nodes: every stage runs once, all report.
func TestWideDAG(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		c.delay = 10 * time.Millisecond
		stages, edges := []string{"source"}, []string(nil)
		for i := range 300 {
			stages = append(stages, fmt.Sprintf("s%d", i))
			edges = append(edges, "source:"+stages[i+1], stages[i+1]+":sink")
		}
		stages = append(stages, "sink")
		for _, s := range stages {
			c.define(s, term)
		}
		c.declare("d", stages, edges...)
		q := dagCall("d", nil)
		q.Policy = "random"
		reply, err := c.nodes["n1"].Call(t.Context(), q)
		if got := one(t, reply, err); strings.Count(got, "source()") != 300 || !strings.HasPrefix(got, "sink(s0(source()) s1(source())") {
			t.Errorf("the wide dag gave %.80s", got)
		}
		checkExplained(t, c.nodes["n1"], reply.ID, c.dags["d"])
	})
}

// A call that finds the run of an earlier one under way, whose time is up before
// its own is, has it begin again.
func TestACallWithMoreTimeOutlivesTheRunThatItFound(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		var executed atomic.Int32
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			if executed.Add(1) == 1 {
				<-ctx.Done()
				return mesh.Value{}, ctx.Err()
			}
			return term(ctx, v)
		})
		q := named(callOf("f"), mesh.NewRunID())
		first := make(chan error, 1)
		go func() {
			short := q
			short.Timeout = time.Second
			_, err := c.nodes["n1"].Call(t.Context(), short)
			first <- err
		}()
		synctest.Wait() // the run is under way
		reply, err := c.nodes["n1"].Call(t.Context(), q)
		if got := one(t, reply, err); got != "f()" || executed.Load() != 2 {
			t.Errorf("%s after %d executions", got, executed.Load())
		}
		if err := <-first; mesh.KindOf(err) != mesh.DeadlineExceeded {
			t.Errorf("the first call gave %v", err)
		}
	})
}
