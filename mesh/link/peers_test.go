package link

import (
	"context"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

func TestWhichConnectionStands(t *testing.T) {
	standing := greeting{instance: 1, sequence: 10}
	for _, test := range []struct {
		name     string
		self     mesh.NodeID // the peer is "m"
		standing *greeting
		ended    bool // the standing connection
		greeted  bool // our Hello on a dialled connection waits for the peer's
		dialled  bool // by us
		arrived  greeting
		want     bool
		replaces bool
	}{
		{name: "the first", self: "a", arrived: greeting{instance: 1, sequence: 1}, want: true},
		{name: "the first, dialled", self: "a", dialled: true, greeted: true, want: true},
		{name: "the peer decided later", self: "a", standing: &standing, arrived: greeting{instance: 1, sequence: 11}, want: true, replaces: true},
		{name: "the peer decided before", self: "a", standing: &standing, arrived: greeting{instance: 1, sequence: 9}},
		{name: "the peer was restarted", self: "a", standing: &standing, arrived: greeting{instance: 2, sequence: 1}, want: true, replaces: true},
		{name: "in place of one that ended", self: "a", standing: &standing, ended: true, arrived: greeting{instance: 1, sequence: 9}, want: true},
		{name: "both dialled, ours stays", self: "a", greeted: true, arrived: greeting{instance: 1, sequence: 1}},
		{name: "both dialled, the peer's stays", self: "z", greeted: true, arrived: greeting{instance: 1, sequence: 1}, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := newPeerTable(test.self)
			conn := func(g greeting, dialled bool) *Conn {
				c := &Conn{peer: admission.Member{ID: "m"}, greeting: g, dialled: dialled}
				c.ctx, c.cancel = context.WithCancelCause(t.Context())
				return c
			}
			var old *Conn
			if test.standing != nil {
				old = conn(*test.standing, true)
				table.standing["m"] = old
			}
			if test.ended {
				old.cancel(nil)
			}
			if test.greeted {
				if _, c, wait := table.greet("m"); c != nil || wait != nil {
					t.Fatal("nothing stands, and greet does not let us begin")
				}
			}
			arrived := conn(test.arrived, test.dialled)
			replaced, ok := table.admit(arrived)
			if ok != test.want || (replaced != nil) != test.replaces {
				t.Fatalf("admitted %v, replaced %v: expected %v, %v", ok, replaced != nil, test.want, test.replaces)
			}
			if ok != (table.standing["m"] == arrived) {
				t.Error("the table holds the other one")
			}
		})
	}
}

func TestHellosAreNumberedAndSpared(t *testing.T) {
	table := newPeerTable("a")
	first, _, _ := table.greet("m")
	_, c, wait := table.greet("m")
	if c != nil || wait == nil {
		t.Fatal("two connections to one peer are begun at once")
	}
	table.ungreet("m")
	select {
	case <-wait:
	default:
		t.Error("the second is not told that the first is no longer being begun")
	}
	second, _, _ := table.greet("m")
	if second <= first {
		t.Errorf("numbers %d, %d: expected that they grow", first, second)
	}
	table.ungreet("m")
	if len(table.greeted) != 0 {
		t.Errorf("%v is left", table.greeted)
	}
	c = &Conn{peer: admission.Member{ID: "m"}}
	c.ctx, c.cancel = context.WithCancelCause(t.Context())
	table.admit(c)
	if _, standing, _ := table.greet("m"); standing != c {
		t.Error("greet does not give the standing connection")
	}
	table.remove(&Conn{peer: admission.Member{ID: "m"}})
	if table.standing["m"] != c {
		t.Error("removing another connection removed this one")
	}
	table.remove(c)
	if len(table.standing) != 0 {
		t.Error("not removed")
	}
}
