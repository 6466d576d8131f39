package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/txn"
)

// written is what was committed, as text.
func (s *shelf) written() string {
	var all []string
	for _, w := range s.committed {
		if w.Deletes {
			all = append(all, w.Key.Name+"-")
		} else {
			all = append(all, w.Key.Name+"="+string(w.Value))
		}
	}
	return strings.Join(all, " ")
}

func TestWhatTheLastStageOfATransactionWritesComesWithItsResult(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	last := placed(of, mesh.Last)
	s.putKnown("x", "a", 1)
	w.put(of, 2, key("x"), lattice.LWWKind, set("of the stage before"))
	w.put(of, 2, key("y"), lattice.LWWKind, set("of the stage before"))
	w.goesOn(of, 2, 1)
	before := w.made()
	w.put(last, 1, key("x"), lattice.LWWKind, set("1"))
	w.put(last, 1, key("x"), lattice.LWWKind, set("2"))
	w.put(last, 1, key("z"), lattice.LWWKind, set("3"))
	if err := w.at(1).Delete(t.Context(), last, key("gone"), nil); err != nil {
		t.Fatal(err)
	}
	if got := w.sees(last, 1, key("x")); got != "2" || w.made() != before {
		t.Errorf("it reads %s, after %d messages", got, w.made()-before)
	}
	w.goesOn(of, 1, 0)
	w.goesOn(of, 1, 0) // twice
	if err := w.at(0).Commit(t.Context(), of); err != nil || s.written() != "gone- x=2 y=of the stage before z=3" {
		t.Errorf("committed %q, %v", s.written(), err)
	}
}

func TestAFunctionThatTheLastStageCallsReadsWhatThatWrote(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	last, shared := placed(of, mesh.Last), of
	shared.Shared = true
	w.put(last, 1, key("x"), lattice.LWWKind, set("1"))
	if err := w.at(1).Share(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	w.goesOn(of, 1, 2)
	if got := w.sees(shared, 2, key("x")); got != "1" {
		t.Errorf("the function reads %s", got)
	}
	w.put(shared, 2, key("x"), lattice.LWWKind, set("2"))
	w.put(last, 1, key("y"), lattice.LWWKind, set("3"))
	w.goesOn(of, 1, 0)
	if err := w.at(0).Commit(t.Context(), of); err != nil || s.written() != "x=2 y=3" {
		t.Errorf("committed %q, %v", s.written(), err)
	}
}

func TestTheLastStageTellsOfManyWritesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		writes, size, told int
		fails              bool
	}{
		"as many as come with the result": {maxUnsaid, 10, 0, false},
		"one more":                        {maxUnsaid + 1, 10, 1, false},
		"more bytes than that":            {4, maxUnsaidBytes / 3, 2, false},
		"more than a run may write":       {txn.MaxKeys + 1, 10, txn.MaxKeys + 1 - maxUnsaid, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, s, of := transactionWorld(t, 2)
			last := placed(of, mesh.Last)
			for i := range c.writes {
				w.put(last, 1, key(fmt.Sprint(i)), lattice.LWWKind, set(strings.Repeat("x", c.size)))
			}
			if w.made() != c.told {
				t.Errorf("%d messages, want %d", w.made(), c.told)
			}
			w.goesOn(of, 1, 0)
			err := w.at(0).Commit(t.Context(), of)
			if c.fails {
				wantKind(t, err, mesh.Invalid)
			} else if err != nil || len(s.committed) != c.writes {
				t.Errorf("%d writes committed, %v", len(s.committed), err)
			}
		})
	}
}
