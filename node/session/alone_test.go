package session

import (
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// repeatableWorld is nodes and a run at the first of them in which all take part.
func repeatableWorld(t *testing.T, nodes int) (w *world, of mesh.Session) {
	w = newWorld(t, nodes)
	of = w.begin(0)
	w.takePart(of)
	return w, of
}

// set writes a text on all nodes, past all sessions.
func (w *world) set(k mesh.Key, text string) {
	w.at(0).change(k, lattice.LWWKind, lattice.SetOp([]byte(text)))
	for i := range w.names[1:] {
		w.at(i + 1).store[k] = w.at(0).store[k]
	}
}

func placed(of mesh.Session, place mesh.Place) mesh.Session {
	of.Place = place
	return of
}

func TestAStageThatNoOtherIsBesideAsksNobody(t *testing.T) {
	w, of := repeatableWorld(t, 4)
	alone := placed(of, mesh.Alone)
	w.set(key("k"), "a")
	if got := w.sees(alone, 1, key("k")); got != "a" {
		t.Fatalf("read %s", got)
	}
	w.goesOn(of, 1, 2)
	if got := w.sees(alone, 2, key("k")); got != "a" || w.made() > 0 {
		t.Errorf("the next stage reads %s after %d messages", got, w.made())
	}
	w.set(key("k"), "b")
	w.goesOn(of, 2, 0)
	w.goesOn(of, 0, 3)
	if got := w.sees(alone, 3, key("k")); got != "a" {
		t.Errorf("a stage that the home hands on to reads %s", got)
	}
	if w.sees(of, 3, key("none")); w.made() == 0 {
		t.Error("a stage with others beside it asks nobody about a key that was not read")
	}
	if got := w.sees(of, 0, key("k")); got != "a" {
		t.Errorf("the home reads %s", got)
	}
}

func TestWhatTheLastStageWritesItTellsNobody(t *testing.T) {
	w, of := repeatableWorld(t, 3)
	last := placed(of, mesh.Last)
	w.set(key("k"), "a")
	w.put(last, 1, key("k"), lattice.LWWKind, lattice.SetOp([]byte("b")))
	w.put(last, 1, key("n"), lattice.PNCounterKind, lattice.IncOp(2))
	w.put(last, 1, key("n"), lattice.PNCounterKind, lattice.IncOp(3))
	w.at(1).change(key("n"), lattice.PNCounterKind, lattice.IncOp(100)) // by others
	if k, n := w.sees(last, 1, key("k")), w.sees(last, 1, key("n")); k != "b" || n != "5" || w.made() > 0 {
		t.Errorf("k is %s, n %s, after %d messages; want b, 5 and none", k, n, w.made())
	}
	// Then it calls a function, which is executed elsewhere.
	shared := of
	shared.Shared = true
	if err := w.at(1).Share(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	w.goesOn(of, 1, 2)
	if k, n := w.sees(shared, 2, key("k")), w.sees(shared, 2, key("n")); k != "b" || n != "5" {
		t.Errorf("the function reads k as %s and n as %s", k, n)
	}
	w.put(shared, 2, key("k"), lattice.LWWKind, lattice.SetOp([]byte("c")))
	if got := w.sees(last, 1, key("k")); got != "c" {
		t.Errorf("after the function has written it is %s", got)
	}
	before := w.made()
	if w.put(last, 1, key("k"), lattice.LWWKind, lattice.SetOp([]byte("d"))); w.made() == before {
		t.Error("a write beside that function is told nobody")
	}
}

// A function that a stage has called may read what the stage is about to read.
func TestAStageThatHasCalledAFunctionIsNotAlone(t *testing.T) {
	w, of := repeatableWorld(t, 2)
	shared := of
	shared.Shared = true
	if err := w.at(1).Share(t.Context(), shared); err != nil { // before it has read anything
		t.Fatal(err)
	}
	w.set(key("k"), "a")
	if got := w.sees(placed(of, mesh.Alone), 1, key("k")); got != "a" || w.made() == 0 {
		t.Errorf("read %s after %d messages: the home has to decide", got, w.made())
	}
}

// A version that a stage before has read is with its node. If that is gone the run
// goes on with another one, and begins anew in the end.
func TestAVersionThatIsGoneHasARepeatableRunBeginAnew(t *testing.T) {
	for _, gone := range []bool{false, true} {
		w, of := repeatableWorld(t, 3)
		alone := placed(of, mesh.Alone)
		w.set(key("k"), "a")
		w.sees(alone, 1, key("k"))
		w.set(key("k"), "b")
		w.goesOn(of, 1, 2)
		w.setCut(1, gone)
		want := map[bool]string{false: "a", true: "b"}[gone]
		if got := w.sees(alone, 2, key("k")); got != want {
			t.Errorf("gone %v: the next stage reads %s, want %s", gone, got, want)
		}
		w.goesOn(of, 2, 0)
		if w.at(0).Agrees(of) == gone {
			t.Errorf("gone %v: it agrees: %v", gone, !gone)
		}
	}
}
