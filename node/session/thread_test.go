package session

import (
	"context"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// ordered is a Causal whose reads a test prepares.
type ordered struct {
	view uint64
	give CausalRead
	need lattice.Past // of the last read
}

func (o *ordered) View() uint64                 { return o.view }
func (o *ordered) IsOwn(made lattice.Past) bool { return made.Len() == 1 && made.Of("self") > 0 }
func (o *ordered) Read(_ context.Context, _ mesh.Key, need lattice.Past, _ bool) (CausalRead, error) {
	o.need = need
	read := o.give
	read.Found, read.View = true, o.view
	return read, nil
}

func past(node string, time uint64) lattice.Past {
	return lattice.PastOf(lattice.Stamp{Node: node, Time: time})
}

// causalWorld is a node at which a session at a level has begun.
func causalWorld(t *testing.T, level mesh.Consistency) (*Sessions, *ordered, mesh.Session) {
	o := &ordered{view: 1}
	s := New(Config{Self: "self", Causal: o})
	t.Cleanup(s.Close)
	of, err := s.Begin(level)
	if err != nil {
		t.Fatal(err)
	}
	return s, o, of
}

func read(t *testing.T, s *Sessions, of mesh.Session) {
	t.Helper()
	if _, _, err := s.Get(t.Context(), of, key("k")); err != nil {
		t.Fatal(err)
	}
}

// carried is what a session has to see elsewhere.
func carried(t *testing.T, s *Sessions, of mesh.Session) lattice.Past {
	t.Helper()
	raw := s.Past(of)
	if raw == nil {
		return lattice.Past{}
	}
	p, err := lattice.DecodePast(raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatWasReadHereIsNeededElsewhere(t *testing.T) {
	for level, want := range map[mesh.Consistency]lattice.Past{
		mesh.CausalKey: past("b", 2), mesh.CausalCut: {}, mesh.CausalSession: past("a", 1).Join(past("b", 2)),
	} {
		s, o, of := causalWorld(t, level)
		o.give = CausalRead{Holds: true, Needs: past("a", 1), Made: past("b", 2)}
		read(t, s, of)
		read(t, s, of)
		if holds := o.need.Of("b"); holds != 0 {
			t.Errorf("%v: this node is asked for what it holds", level)
		}
		if deps := o.need.Of("a"); (deps != 0) != (level != mesh.CausalKey) {
			t.Errorf("%v: of what was read depends up to %d is needed", level, deps)
		}
		if got := carried(t, s, of); got.Compare(want) != lattice.Equal {
			t.Errorf("%v carries %v, want %v", level, got, want)
		}
		other := New(Config{Self: "other", Causal: &ordered{}})
		other.Retain(of)
		if err := other.Learn(of, s.Past(of)); err != nil || carried(t, other, of).Compare(want) != lattice.Equal {
			t.Errorf("%v arrives as %v, %v", level, carried(t, other, of), err)
		}
		other.Release(of)
		if s.End(of); s.Open()+other.Open() != 0 {
			t.Errorf("%v: something is left", level)
		}
		other.Close()
	}
}

// In another view other nodes own other keys: what was held has to be seen to be here.
func TestWhatANodeHeldInAnotherViewIsNeeded(t *testing.T) {
	s, o, of := causalWorld(t, mesh.CausalSession)
	o.give = CausalRead{Holds: true, Made: past("b", 2)}
	read(t, s, of)
	o.view = 2
	read(t, s, of)
	if o.need.Of("b") != 2 {
		t.Errorf("it needs %v", o.need)
	}
}

func TestAWriteTellsWhatWasSeenBeforeIt(t *testing.T) {
	for _, level := range []mesh.Consistency{mesh.CausalKey, mesh.CausalCut, mesh.CausalSession} {
		s, o, of := causalWorld(t, level)
		o.give = CausalRead{Holds: true, Needs: past("a", 1), Made: past("b", 2)}
		read(t, s, of)
		write := func(wrote lattice.Past) (seen lattice.Past) {
			err := s.Put(t.Context(), of, Write{Key: key("k")}, func(c *Causes) error {
				if c.Untold != (level == mesh.CausalKey) {
					t.Errorf("%v: untold %v", level, c.Untold)
				}
				seen, c.Wrote = c.Seen, wrote
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return seen
		}
		if seen := write(past("self", 7)); seen.Of("b") != 2 {
			t.Errorf("%v: the first write comes after %v", level, seen)
		}
		if seen := write(past("c", 8)); seen.Of("self") != 7 {
			t.Errorf("%v: the second write comes after %v", level, seen)
		}
		read(t, s, of)
		if o.need.Of("self") != 0 || o.need.Of("c") != 8 {
			t.Errorf("%v: after a write here and one elsewhere a read needs %v", level, o.need)
		}
	}
}

func TestOfASessionThatIsOverNothingIsRead(t *testing.T) {
	s, _, of := causalWorld(t, mesh.CausalSession)
	s.End(of)
	if _, _, err := s.Get(t.Context(), of, key("k")); mesh.KindOf(err) != mesh.Unavailable {
		t.Errorf("Get = %v, want Unavailable", err)
	}
	if err := s.Delete(t.Context(), of, key("k"), nil); mesh.KindOf(err) != mesh.Unavailable {
		t.Errorf("Delete = %v, want Unavailable", err)
	}
	if err := s.Learn(of, []byte{9}); mesh.KindOf(err) != mesh.Invalid {
		t.Errorf("Learn of nonsense = %v, want Invalid", err)
	}
}
