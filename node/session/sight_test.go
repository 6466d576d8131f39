package session

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestAFirstReadAsksNobody(t *testing.T) {
	w, s, of := transactionWorld(t, 4)
	s.putKnown("x", "a", 1)
	if got := w.sees(of, 1, key("x")); got != "a1" {
		t.Fatalf("x is %s", got)
	}
	w.goesOn(of, 1, 2)
	if got := w.sees(of, 2, key("x")); got != "a1" {
		t.Errorf("the next stage reads %s", got)
	}
	if calls := w.made(); calls != 0 {
		t.Errorf("%d messages for two reads of one version", calls)
	}
	s.put("x", "a", 2, lattice.Past{})
	w.goesOn(of, 2, 3)
	if got := w.sees(of, 3, key("x")); got != "a1" {
		t.Errorf("once it has changed a later stage reads %s, want what the first one did", got)
	}
	w.goesOn(of, 3, 0)
	if got := w.sees(of, 0, key("x")); got != "a1" {
		t.Errorf("the home reads %s", got)
	}
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Error(err)
	}
}

func TestStagesBesideOneAnotherThatReadTwoVersionsAreAConflict(t *testing.T) {
	for name, meet := range map[string]int{"they meet at the home": 0, "they meet elsewhere": 3} {
		t.Run(name, func(t *testing.T) {
			w, s, of := transactionWorld(t, 4)
			s.put("x", "a", 1, lattice.Past{})
			w.sees(of, 1, key("x"))
			s.put("x", "b", 2, lattice.Past{})
			w.sees(of, 2, key("x"))
			w.goesOn(of, 1, meet)
			w.goesOn(of, 2, meet)
			if meet != 0 {
				w.goesOn(of, meet, 0)
			}
			wantKind(t, w.at(0).Commit(t.Context(), of), mesh.Conflict)
			again, err := w.at(0).Again(t.Context(), of)
			if err != nil {
				t.Fatal(err)
			}
			w.takePart(again)
			for i := range w.names {
				w.goesOn(again, 0, i)
			}
			for i := 1; i < 3; i++ {
				if got := w.sees(again, i, key("x")); got != "b2" {
					t.Errorf("node %d sees %s in the run that began anew", i, got)
				}
				s.put("x", "a", uint64(2+i), lattice.Past{})
			}
		})
	}
}

func TestAVersionThatIsGoneHasTheRunBeginAnew(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	s.put("x", "a", 1, lattice.Past{})
	w.sees(of, 1, key("x"))
	w.goesOn(of, 1, 2)
	w.setCut(1, true)
	s.put("x", "a", 2, lattice.Past{})
	if got := w.sees(of, 2, key("x")); got != "a2" {
		t.Errorf("the next stage reads %s", got)
	}
	w.goesOn(of, 2, 0)
	wantKind(t, w.at(0).Commit(t.Context(), of), mesh.Conflict)
}

func TestWhatARunHasWrittenIsReadWhereItGoesOn(t *testing.T) {
	w, s, of := transactionWorld(t, 4)
	s.put("x", "a", 1, lattice.Past{})
	for i := 1; i < 4; i++ {
		w.sees(of, i, key("x")) // none of which the home has heard of
	}
	w.put(of, 1, key("x"), lattice.LWWKind, lattice.SetOp([]byte("new")))
	w.goesOn(of, 1, 2)
	if got := w.sees(of, 2, key("x")); got != "new" {
		t.Errorf("the next stage reads %s", got)
	}
	w.goesOn(of, 0, 3)
	if got := w.sees(of, 3, key("x")); got != "new" {
		t.Errorf("a stage after the home reads %s", got)
	}
	for i := 1; i < 4; i++ {
		w.goesOn(of, i, 0)
	}
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Error(err)
	}
	if s.timesAsked("x") < 3 || len(s.committed) != 1 {
		t.Errorf("committed %v", s.committed)
	}
}

func TestOfManyReadsTheHomeIsAsked(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	name := func(i int) string { return fmt.Sprint("k", i) }
	for i := range 2 * maxGlances {
		s.putKnown(name(i), "a"+name(i), uint64(i+1))
		w.sees(of, 1, key(name(i)))
	}
	if calls := w.made(); calls != maxGlances {
		t.Errorf("%d messages, want %d", calls, maxGlances)
	}
	w.goesOn(of, 1, 2)
	last := name(2*maxGlances - 1)
	s.put(last, "a"+last, 1000, lattice.Past{}) // read before, and nothing travels that says so
	if got, want := w.sees(of, 2, key(last)), fmt.Sprint("a", last, 2*maxGlances); got != want {
		t.Errorf("the next stage reads %s, want %s", got, want)
	}
	w.goesOn(of, 2, 0)
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Error(err)
	}
}

func TestASightLeavesNothingOutThatTheHomeHasNotHeard(t *testing.T) {
	var all sight
	for node := range 3 {
		var one sight
		for i := range maxGlances {
			one.look(glance{key: key(fmt.Sprint(node, i)), version: uint64(i + 1), how: &reading{version: uint64(i + 1)}, holder: "n"})
		}
		all.merge(&one)
	}
	if n := len(all.untold()); n != 3*maxGlances || all.room() {
		t.Errorf("%d reads of %d are left, and there is room: %v", n, 3*maxGlances, all.room())
	}
	all.heard(all.untold())
	if left := all.untold(); left != nil {
		t.Errorf("the home has heard of all but %v", left)
	}
}

func TestWhatAnErrorLeavesBehindTheHomeHearsAtOnce(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	s.put("x", "a", 1, lattice.Past{})
	w.sees(of, 1, key("x"))
	s.put("x", "b", 2, lattice.Past{})
	w.sees(of, 2, key("x"))
	for i := 1; i < 3; i++ {
		if err := w.at(i).Settle(t.Context(), of); err != nil {
			t.Error(err)
		}
		before := w.made()
		if err := w.at(i).Settle(t.Context(), of); err != nil || w.made() != before {
			t.Errorf("what the home has heard is told once more: %v", err)
		}
	}
	wantKind(t, w.at(0).Commit(t.Context(), of), mesh.Conflict)
}

// A stage that has heard of a write may pass on that there is one.
func TestWhoHasReadAWriteElsewherePassesThatOn(t *testing.T) {
	w, s, of := transactionWorld(t, 4)
	s.putKnown("x", "a", 1)
	w.sees(of, 3, key("x"))
	w.put(of, 1, key("x"), lattice.LWWKind, lattice.SetOp([]byte("new")))
	w.at(2).know(&pins{of: of}, func(known *sight) { known.asks = true })
	if got := w.sees(of, 2, key("x")); got != "new" {
		t.Fatalf("who asks the home reads %s", got)
	}
	w.goesOn(of, 2, 3)
	if got := w.sees(of, 3, key("x")); got != "new" {
		t.Errorf("a stage after that reads %s", got)
	}
}

// Who reads what a stage beside it has written comes after all that one had seen.
func TestWithAWriteComesWhatItsWriterHadSeen(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	s.putKnown("x", "a", 1)
	s.putKnown("y", "a", 2)
	w.sees(of, 2, key("x"))
	w.at(2).know(&pins{of: of}, func(known *sight) { known.wrote(key("y"), 9) }) // by a stage before
	w.put(of, 1, key("x"), lattice.LWWKind, lattice.SetOp([]byte("new x")))
	w.put(of, 1, key("y"), lattice.LWWKind, lattice.SetOp([]byte("new y")))
	if y, x := w.sees(of, 2, key("y")), w.sees(of, 2, key("x")); y != "new y" || x != "new x" {
		t.Errorf("y is %s, and then x %s", y, x)
	}
}

func TestPinsLastAWhileWhereARunHasNoPartAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, of := transactionWorld(t, 3)
		s.putKnown("x", "a", 1)
		w.sees(of, 1, key("x"))
		w.goesOn(of, 1, 2)
		w.at(1).Release(of)
		s.putKnown("x", "a", 2)
		if got := w.sees(of, 2, key("x")); got != "a1" {
			t.Errorf("what another node has read is gone: %s", got)
		}
		time.Sleep(lingering)
		synctest.Wait()
		if open := w.at(1).Open(); open != 0 {
			t.Errorf("%d sessions are left", open)
		}
		w.at(0).End(of)
		w.at(2).Release(of)
		time.Sleep(lingering)
	})
}

// ofAllKinds is a sight in which there is something of all that can be.
func ofAllKinds() *sight {
	known := &sight{asks: true}
	known.look(glance{key: key("x"), version: 7, how: &reading{version: 7, needs: past("a", 1), made: past("b", 2), asOf: past("c", 3)}, holder: "n1"})
	known.look(glance{key: key("x"), version: 8, how: &reading{version: 8}, holder: "n2"})
	known.look(glance{key: key("y"), version: 9})
	known.wrote(key("z"), 10)
	later := seen{value: lattice.New(lattice.LWWKind)}
	later.version()
	known.leave(key("later"), later)
	known.leave(key("gone"), seen{missing: true})
	known.made.add(madeWrite{key("m"), 11})
	known.done.add(madeWrite{key: key("d")})
	return known
}

// What is written and read by hand is the protocol's message.
func TestASightIsTheMessageOfTheProtocol(t *testing.T) {
	known := ofAllKinds()
	raw := known.encode(past("d", 4))
	var m pb.Sight
	if err := proto.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if n := len(m.ProtoReflect().GetUnknown()); n > 0 {
		t.Errorf("%d bytes are unknown", n)
	}
	ns := mesh.DefaultNamespace
	if got, want := m.Reads.Keys, []string{ns + "/x", "/x", "/y"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got, want := m.Reads.Versions, []uint64{7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("versions %d, want %d", got, want)
	}
	if got, want := m.Reads.Holders, []uint32{1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("holders %d, want %d", got, want)
	}
	if len(m.Past) == 0 || !m.Asks || len(m.Holders) != 2 || len(m.Reads.Pasts) != 6 || len(m.Writes.Keys) != 1 || len(m.Unsaid.Values) != 2 || len(m.Made.Keys) != 1 || len(m.Done.Versions) != 1 {
		t.Errorf("not all is there: %v", &m)
	}
	again, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"by hand": raw, "by the library": again} {
		told, need, err := decodeSight(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(told, known) || !bytes.Equal(encodePast(need), encodePast(past("d", 4))) {
			t.Errorf("%s: %+v became %+v", name, known, told)
		}
	}
}

func FuzzSight(f *testing.F) {
	f.Add(ofAllKinds().encode(past("d", 4)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		told, need, err := decodeSight(raw)
		if err != nil {
			wantKind(t, err, mesh.Invalid)
			return
		}
		again, needAgain, err := decodeSight(told.encode(need))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.made) != len(told.made) || len(again.done) != len(told.done) || len(again.unsaid) != len(told.unsaid) || again.bytes != told.bytes || len(again.writes) != len(told.writes) || len(again.untold()) != len(told.untold()) || len(again.reads) != len(told.reads) || !bytes.Equal(encodePast(needAgain), encodePast(need)) {
			t.Errorf("%+v became %+v", told, again)
		}
	})
}
