package lattice_test

import (
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func siblings(v lattice.Value) []string {
	var out []string
	for payload := range v.Siblings() {
		out = append(out, string(payload))
	}
	slices.Sort(out)
	return out
}

func TestRegistersKeepWhatIsConcurrent(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.CausalKind, lattice.MultiCausalKind, lattice.MVRegisterKind} {
		t.Run(kind.String(), func(t *testing.T) {
			set := func(payload string) lattice.Op { return lattice.SetOp([]byte(payload)) }
			a, b, c := newReplica(t, "a", kind), newReplica(t, "b", kind), newReplica(t, "c", kind)
			first := a.do(set("1"))
			b.get(first)
			second, third := a.do(set("2")), b.do(set("3"))
			c.get(third, second, first)
			if got := siblings(c.value); !slices.Equal(got, []string{"2", "3"}) || c.value.Len() != 2 {
				t.Fatalf("siblings %q, want those written at the same time", got)
			}
			fourth := c.do(set("4"))
			for _, r := range []*replica{a, b} {
				r.get(fourth)
				if got := siblings(r.value); !slices.Equal(got, []string{"4"}) {
					t.Errorf("siblings %q after a write that saw all", got)
				}
				r.get(first, second, third)
				if got := siblings(r.value); !slices.Equal(got, []string{"4"}) {
					t.Errorf("siblings %q: what was replaced came back", got)
				}
			}
		})
	}
}

func TestVersionsCarryClocksAndDependencies(t *testing.T) {
	deps := map[string]*lattice.VectorClock{
		"y": lattice.NewVectorClock(map[string]uint64{"b": 1}),
		"x": lattice.NewVectorClock(map[string]uint64{"a": 7}),
	}
	r := newReplica(t, "a", lattice.MultiCausalKind)
	r.do(lattice.SetOp([]byte("1")), lattice.SetAfterOp([]byte("2"), deps))
	versions := slices.Collect(r.value.Versions())
	if len(versions) != 1 || versions[0].Clock.String() != "{a:2}" || string(versions[0].Payload) != "2" {
		t.Fatalf("versions %v", versions)
	}
	got := versions[0].Dependencies
	if len(got) != 2 || got[0].Key != "x" || got[0].Clock.At("a") != 7 || got[1].Key != "y" {
		t.Errorf("dependencies %v", got)
	}
	if r.value.Clock().String() != "{a:2}" {
		t.Errorf("clock %s", r.value.Clock())
	}
}

// Two versions of one clock come from a broken writer; both are kept, at every replica.
func TestVersionsOfOneClockAreKept(t *testing.T) {
	a, b := newReplica(t, "w", lattice.CausalKind), newReplica(t, "w", lattice.CausalKind)
	a.do(lattice.SetOp([]byte("1")))
	b.do(lattice.SetOp([]byte("2")))
	exchange(t, a, b)
	if got := siblings(a.value); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("siblings %q", got)
	}
}

// One dot for two payloads comes from a broken writer; replicas still agree.
func TestDotUsedTwiceConverges(t *testing.T) {
	a, b := newReplica(t, "w", lattice.MVRegisterKind), newReplica(t, "w", lattice.MVRegisterKind)
	a.do(lattice.SetOp([]byte("1")))
	b.do(lattice.SetOp([]byte("2")))
	exchange(t, a, b)
	if got := siblings(a.value); !slices.Equal(got, []string{"2"}) {
		t.Errorf("siblings %q", got)
	}
}

func TestLWWKeepsTheLater(t *testing.T) {
	stamp := func(time uint64, node string) lattice.Stamp { return lattice.Stamp{Time: time, Node: node} }
	l := &lattice.LWW{}
	for _, c := range []struct {
		at      lattice.Stamp
		payload string
		want    string
	}{
		{stamp(0, ""), "", ""},
		{stamp(5, "b"), "first", "first"},
		{stamp(4, "z"), "earlier", "first"},
		{stamp(5, "a"), "same time, smaller node", "first"},
		{stamp(5, "c"), "same time, larger node", "same time, larger node"},
		{stamp(5, "c"), "one stamp, smaller bytes", "same time, larger node"},
		{stamp(5, "c"), "tie", "tie"},
	} {
		delta := l.Set(c.at, []byte(c.payload))
		if payload, _, ok := l.Get(); string(payload) != c.want || !ok {
			t.Errorf("after %s: %q, want %q", delta, payload, c.want)
		}
	}
	if (&lattice.LWW{}).String() != "unwritten" {
		t.Error("a fresh register looks written")
	}
}

func TestPriorityKeepsTheLowest(t *testing.T) {
	p := &lattice.Priority{}
	p.Set(2, []byte("b"))
	p.Set(3, []byte("a"))
	p.Set(2, []byte("c"))
	if payload, priority, ok := p.Get(); string(payload) != "b" || priority != 2 || !ok {
		t.Errorf("%q at %v, want b at 2", payload, priority)
	}
	if p.Set(1, []byte("z")); p.String() != `"z" at 1` {
		t.Errorf("%s, want z at 1", p)
	}
}

func TestFlagEnableWins(t *testing.T) {
	a, b := newReplica(t, "a", lattice.FlagKind), newReplica(t, "b", lattice.FlagKind)
	b.get(a.do(lattice.EnableOp()))
	b.do(lattice.DisableOp())
	a.do(lattice.EnableOp())
	exchange(t, a, b)
	if on, ok := b.value.Enabled(); !on || !ok {
		t.Error("an enabling at the same time as a disabling was lost")
	}
	b.do(lattice.DisableOp())
	exchange(t, a, b)
	if on, _ := a.value.Enabled(); on {
		t.Error("a disabling that saw every enabling had no effect")
	}
}
