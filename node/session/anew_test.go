package session

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// beginsAnew ends a session whose reads conflict, and gives the next one, in
// which all nodes take part.
func (w *world) beginsAnew(of mesh.Session) mesh.Session {
	w.t.Helper()
	if w.at(0).Agrees(of) {
		w.t.Error("it agrees")
	}
	wantKind(w.t, w.at(0).Verify(w.t.Context(), of), mesh.Conflict)
	again, err := w.at(0).Again(w.t.Context(), of)
	if err != nil {
		w.t.Fatal(err)
	}
	w.takePart(again)
	for i := range w.names {
		w.goesOn(again, 0, i)
	}
	return again
}

func TestARepeatableRunWithTwoVersionsBeginsAnewWithTheFirst(t *testing.T) {
	for name, meet := range map[string]int{"they meet at the home": 0, "they meet elsewhere": 3} {
		for _, size := range []int{1, 2 * inlineBytes} {
			t.Run(name, func(t *testing.T) {
				w, of := repeatableWorld(t, 4)
				beside := placed(of, mesh.Beside)
				a, b, c := strings.Repeat("a", size), strings.Repeat("b", size), strings.Repeat("c", size)
				w.set(key("k"), a)
				w.sees(beside, 1, key("k"))
				w.set(key("k"), b)
				w.sees(beside, 2, key("k"))
				if calls := w.made(); calls > 0 {
					t.Errorf("%d messages for first reads", calls)
				}
				w.goesOn(of, 1, meet)
				w.goesOn(of, 2, meet)
				if meet > 0 {
					w.goesOn(of, meet, 0)
				}
				again := placed(w.beginsAnew(of), mesh.Beside)
				w.set(key("k"), c)
				first := w.sees(again, 2, key("k"))
				if first != a && first != b {
					t.Errorf("it sees %.5q, want what it saw before", first)
				}
				for _, i := range []int{1, 3, 0} {
					if got := w.sees(again, i, key("k")); got != first {
						t.Errorf("node %d sees %.5q, and another one %.5q", i, got, first)
					}
				}
				before := w.made()
				if w.sees(again, 1, key("none")); w.made() == before {
					t.Error("the home is not asked about a first read")
				}
				if !w.at(0).Agrees(again) || w.at(0).Verify(t.Context(), again) != nil {
					t.Error("it does not agree now")
				}
			})
		}
	}
}

// A run that reads a key, writes what it makes of that, and begins anew, makes the same of it once more.
func TestARepeatableRunThatBeginsAnewDoesNotReadWhatItWrote(t *testing.T) {
	for _, size := range []int{1, 2 * inlineBytes} {
		w, of := repeatableWorld(t, 4)
		beside := placed(of, mesh.Beside)
		mine, theirs := strings.Repeat("a", size), strings.Repeat("b", size)
		w.set(key("k"), mine)
		w.set(key("torn"), "1")
		w.sees(beside, 3, key("k"))
		w.sees(beside, 1, key("k"))
		w.sees(beside, 1, key("torn"))
		w.set(key("torn"), "2")
		w.sees(beside, 2, key("torn"))
		w.put(beside, 1, key("k"), lattice.LWWKind, set(theirs))
		w.put(beside, 1, key("n"), lattice.PNCounterKind, lattice.IncOp(5))
		w.goesOn(of, 3, 0)
		w.goesOn(of, 1, 0)
		w.goesOn(of, 2, 0)
		for i := range w.names {
			w.at(i).store[key("k")] = w.at(1).store[key("k")]
			w.at(i).store[key("n")] = w.at(1).store[key("n")]
		}
		again := w.beginsAnew(of)
		for i := range w.names {
			if k := w.sees(again, i, key("k")); k != mine {
				t.Errorf("node %d sees %.5q, want what was there before the run wrote it", i, k)
			}
			if n := w.sees(again, i, key("n")); n != "nothing" {
				t.Errorf("node %d counts %s, want nothing", i, n)
			}
		}
		w.put(again, 2, key("k"), lattice.LWWKind, set("c"))
		if k := w.sees(again, 3, key("k")); k != "c" {
			t.Errorf("after it was written it is %.5q", k)
		}
	}
}

// What it has made it does not make again: others may have seen it, and written since.
func TestARepeatableRunThatBeginsAnewMakesNoWriteAgain(t *testing.T) {
	w, of := repeatableWorld(t, 4)
	beside := placed(of, mesh.Beside)
	made := map[string]int{}
	write := func(of mesh.Session, i int, name string, op lattice.Op) {
		t.Helper()
		count := func(*Causes) error { made[name]++; return nil }
		var err error
		if op.Verb() == lattice.VerbSet {
			err = w.at(i).Put(w.within(), of, Write{Key: key(name), Kind: lattice.LWWKind, Op: op}, count)
		} else {
			err = w.at(i).Delete(w.within(), of, key(name), count)
		}
		if err != nil {
			t.Error(err)
		}
	}
	last := placed(of, mesh.Last)
	write(of, 0, "home", set("a"))
	write(beside, 1, "k", set("a"))
	write(beside, 1, "k", set("b"))
	write(beside, 1, "k", set("a")) // within one generation each counts
	write(beside, 2, "gone", lattice.Op{})
	write(last, 3, "last", set("a"))
	if made["k"] != 3 {
		t.Errorf("k was written %d times, want 3", made["k"])
	}
	w.set(key("torn"), "1")
	w.sees(beside, 1, key("torn"))
	w.set(key("torn"), "2")
	w.sees(beside, 2, key("torn"))
	w.goesOn(of, 1, 3)
	w.goesOn(of, 2, 3)
	w.goesOn(of, 3, 0)
	again := w.beginsAnew(of)
	clear(made)
	write(again, 2, "home", set("a"))
	write(again, 2, "k", set("a"))
	write(again, 1, "k", set("b"))
	write(again, 0, "gone", lattice.Op{})
	write(placed(again, mesh.Last), 3, "last", set("a"))
	if len(made) > 0 {
		t.Errorf("made again: %v", made)
	}
	write(again, 3, "k", set("other"))
	write(again, 0, "last", lattice.Op{})
	if got := w.sees(again, 1, key("k")); got != "other" || made["k"] != 1 || made["last"] != 1 {
		t.Errorf("the run sees %s, and what is new was made %v times", got, made)
	}
}

// A node whose part in a run seemed to be over still holds what it read there. A
// stage that comes to it later sees that, and tells.
func TestWhatAnEarlierPartOfTheRunHadReadIsToldAgain(t *testing.T) {
	w, of := repeatableWorld(t, 3)
	beside := placed(of, mesh.Beside)
	w.set(key("k"), "a")
	w.sees(beside, 1, key("k"))
	w.at(1).Release(of)
	w.at(1).Retain(of)
	w.set(key("k"), "b")
	w.sees(beside, 2, key("k"))
	if got := w.sees(beside, 1, key("k")); got != "a" {
		t.Errorf("it reads %s", got)
	}
	w.goesOn(of, 1, 0)
	w.goesOn(of, 2, 0)
	wantKind(t, w.at(0).Verify(t.Context(), of), mesh.Conflict)
}

func TestCountingBesideOneAnotherIsNoConflict(t *testing.T) {
	w, of := repeatableWorld(t, 3)
	beside := placed(of, mesh.Beside)
	for i := 1; i < 3; i++ {
		w.at(i).change(key("n"), lattice.PNCounterKind, lattice.IncOp(100)) // by others
		w.put(beside, i, key("n"), lattice.PNCounterKind, lattice.IncOp(1))
		w.goesOn(of, i, 0)
	}
	if n := w.sees(of, 0, key("n")); n != "102" || !w.at(0).Agrees(of) {
		t.Errorf("it counts %s, and agrees: %v", n, w.at(0).Agrees(of))
	}
}

func TestARunWithTooManyFirstsIsAConflict(t *testing.T) {
	w, of := repeatableWorld(t, 2)
	p := w.at(0).here(of)
	huge := seen{value: lattice.New(lattice.LWWKind)}
	if _, err := huge.value.Merge(must(lattice.Apply(huge.value, set(strings.Repeat("x", maxFirsts/2)), lattice.Write{Stamp: w.stamp()}))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		e, release, err := p.home.take(t.Context(), key(name), MaxKeys)
		if err != nil {
			t.Fatal(err)
		}
		e.known, e.seen = true, huge
		e.readFirst(huge, nil)
		release()
	}
	_, err := w.at(0).Again(t.Context(), of)
	wantKind(t, err, mesh.Conflict)
	if w.at(0).here(of) != nil {
		t.Error("the session was not ended")
	}
}

func must(v lattice.Value, err error) lattice.Value {
	if err != nil {
		panic(err)
	}
	return v
}

// Where a stage has failed others may still be reading while the run begins anew.
func TestARunBeginsAnewWhileOthersStillRead(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	w.at(0).Ask(of) // the home takes up each read at once
	reading := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		for n := uint64(1); ; n++ {
			name := strings.Repeat("k", int(n%50)+1)
			s.putKnown(name, "a", n)
			_, _, err := w.at(0).Get(t.Context(), of, key(name))
			if n == 1 {
				close(reading)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	<-reading
	if _, err := w.at(0).Again(t.Context(), of); err != nil {
		t.Error(err)
	}
	wantKind(t, <-ended, mesh.Unavailable)
}
