package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// nested gives {"a": [hole, hole]} with references in the holes.
func nested(first, second mesh.Reference) Arg {
	return Arg{Value: mesh.Value{Format: mesh.CBOR, Data: []byte("\xa1\x61a\x82\xf6\xf6")}, Holes: []mesh.Hole{
		{Offset: 4, Path: ".a[0]", Reference: first}, {Offset: 5, Path: ".a[1]", Reference: second},
	}}
}

// shown is a function that shows its arguments: as JSON, raw ones as they are.
func shown(_ context.Context, v Invocation) (mesh.Value, error) {
	var parts []string
	for _, arg := range v.Args {
		text, err := codec.ToJSON(arg, "")
		if err != nil {
			return mesh.Value{}, err
		}
		if arg.Format == mesh.Raw {
			text = arg.Data
		}
		parts = append(parts, string(text))
	}
	return text(strings.Join(parts, " ")), nil
}

func key(name string) mesh.Reference {
	return mesh.Reference{Key: mesh.Key{Namespace: mesh.DefaultNamespace, Name: name}}
}

func TestReferencesWithinArguments(t *testing.T) {
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.define("show", shown, host)
			c.declare("d", []string{"show"})
			seven, _ := codec.Encode(7)
			c.keys[key("x").Key], c.keys[key("y").Key] = text("X"), seven
			raw := key("y")
			raw.Raw = true
			args := []Arg{nested(key("y"), key("x")), {Ref: key("x")}, nested(key("x"), key("x")), {Ref: raw}}
			want := `{"a":[7,"X"]} "X" {"a":["X","X"]} ` + string(seven.Data)
			for _, q := range []Request{{Func: fnRef("show"), Args: args}, dagCall("d", map[string][]Arg{"show": args})} {
				reply, err := c.nodes["n1"].Call(t.Context(), q)
				if got := one(t, reply, err); got != want {
					t.Errorf("on %s: %s, want %s", string(host), got, want)
				}
			}
		})
	}
}

func TestFuturesAsArguments(t *testing.T) {
	for _, where := range []mesh.NodeID{"n1", "n2", "n3"} {
		simulate(t, 3, 1, func(t *testing.T, c *cluster) {
			c.define("show", shown, where)
			c.define("slow", func(context.Context, Invocation) (mesh.Value, error) {
				time.Sleep(time.Second) // virtual
				return text("slowly"), nil
			}, "n2")
			c.define("fail", func(context.Context, Invocation) (mesh.Value, error) {
				return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "no luck")
			})
			future := func(name string) mesh.Reference {
				q := callOf(name)
				q.Future = true
				reply, err := c.nodes["n1"].Call(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				return mesh.Reference{Run: reply.ID}
			}
			slow := future("slow")
			q := callOf("show")
			q.Args = []Arg{{Ref: slow}, nested(slow, future("slow"))}
			began := time.Now()
			reply, err := c.nodes["n3"].Call(t.Context(), q)
			if got := one(t, reply, err); got != `"slowly" {"a":["slowly","slowly"]}` {
				t.Errorf("on %s: %s", string(where), got)
			}
			if took := time.Since(began); took > 3*time.Second/2 {
				t.Errorf("two runs of a second took %v: expected them to be awaited at once", took)
			}
			q.Args = []Arg{nested(slow, future("fail"))}
			_, err = c.nodes["n3"].Call(t.Context(), q)
			wantError(t, err, mesh.UserError, "argument 1.a[1]", "failed", "no luck")
		})
	}
}

func wantError(t *testing.T, err error, kind mesh.ErrorKind, parts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %s", err, kind)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}

func TestReferencesThatCannotBeRead(t *testing.T) {
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		simulate(t, 2, 1, func(t *testing.T, c *cluster) {
			c.define("show", shown, host)
			c.define("block", blocked(make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)))
			c.declare("two", []string{"a", "b"})
			c.define("a", term)
			c.define("b", term)
			c.declare("d", []string{"show"})
			c.keys[key("x").Key] = text("X")
			n1 := c.nodes["n1"]
			start := func(q Request) mesh.Reference {
				q.Future = true
				reply, err := n1.Call(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				return mesh.Reference{Run: reply.ID}
			}
			call := func(args ...Arg) error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := n1.Call(ctx, dagCall("d", map[string][]Arg{"show": args}))
				return err
			}
			wantError(t, call(nested(key("x"), key("nosuch"))), mesh.NotFound, "stage show", "argument 1.a[1]", "default/nosuch")
			wantError(t, call(Arg{}, Arg{Ref: key("nosuch")}), mesh.NotFound, "argument 2", "default/nosuch")
			unknown := mesh.Reference{Run: mesh.NewRunID()}
			wantError(t, call(Arg{Ref: unknown}), mesh.NotFound, "argument 1", unknown.Run.String())
			wantError(t, call(Arg{Ref: start(callOf("block"))}), mesh.DeadlineExceeded)
			wantError(t, call(Arg{Ref: start(dagCall("two", nil))}), mesh.Invalid, "2 results")
			big := mesh.Value{Format: mesh.Raw, Data: make([]byte, maxFilled/2+1)}
			c.keys[key("big").Key] = big
			wantError(t, call(nested(key("big"), key("big"))), mesh.Invalid, "argument 1", fmt.Sprint(maxFilled))
			forged := nested(key("x"), key("x"))
			forged.Holes[0].Offset = 3 // the head of the list
			wantError(t, call(forged), mesh.Invalid, "offset 3")
			synctest.Wait()
		})
	}
}

// A key that is missing is told at once, though runs beside it go on.
func TestAMissingKeyDoesNotWaitForRuns(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("show", shown)
		c.define("block", blocked(make(chan mesh.NodeID, 1), make(chan mesh.NodeID, 1)))
		q := callOf("block")
		q.Future = true
		reply, err := c.nodes["n1"].Call(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.nodes["n1"].Call(t.Context(), Request{Func: fnRef("show"), Args: []Arg{nested(mesh.Reference{Run: reply.ID}, key("nosuch"))}})
		wantError(t, err, mesh.NotFound, "default/nosuch")
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
