package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/txn"
)

// shelf is what nodes read in a test, and what was committed.
type shelf struct {
	mu        sync.Mutex
	reads     map[mesh.Key]CausalRead
	asked     []mesh.Key
	away      int // how many reads more nobody can answer
	committed []txn.Write
	seen      lattice.Past
}

func (s *shelf) View() uint64            { return 1 }
func (s *shelf) IsOwn(lattice.Past) bool { return false }

// Read gives a version as of what is needed, and no more.
func (s *shelf) Read(_ context.Context, key mesh.Key, need lattice.Past, together bool) (CausalRead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !together {
		return CausalRead{}, errors.New("a transaction reads what was not written together")
	}
	s.asked = append(s.asked, key)
	if s.away > 0 {
		s.away--
		return CausalRead{}, mesh.Errorf(mesh.Unavailable, "get "+key.String(), "owners cannot tell yet")
	}
	read := s.reads[key]
	read.AsOf = read.AsOf.Join(need)
	return read, nil
}

// plain gives a version as a node has it.
func (s *shelf) plain(_ context.Context, key mesh.Key) (lattice.Value, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, key)
	read := s.reads[key]
	if !read.Found {
		return lattice.Value{}, true, mesh.Errorf(mesh.NotFound, "read", "no such key")
	}
	return read.Value, true, nil
}

func (s *shelf) commit(_ context.Context, writes []txn.Write, seen lattice.Past) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed, s.seen = writes, seen
	return nil
}

// put places a version of a key: a write by a node at a time, which needs something.
func (s *shelf) put(name, by string, at uint64, needs lattice.Past) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp := lattice.Stamp{Node: by, Time: at}
	value, err := lattice.Apply(lattice.New(lattice.LWWKind), lattice.SetOp([]byte(fmt.Sprint(by, at))), lattice.Write{Stamp: stamp})
	if err != nil {
		panic(err)
	}
	s.reads[key(name)] = CausalRead{Value: value, Found: true, Needs: needs, Made: lattice.PastOf(stamp)}
}

// putKnown is put of a version that is read as of what it is itself, as where
// the reader holds it.
func (s *shelf) putKnown(name, by string, at uint64) {
	s.put(name, by, at, lattice.Past{})
	s.mu.Lock()
	defer s.mu.Unlock()
	read := s.reads[key(name)]
	read.AsOf = read.Made
	s.reads[key(name)] = read
}

// timesAsked is how often a key was read past the pins.
func (s *shelf) timesAsked(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.asked {
		if k == key(name) {
			n++
		}
	}
	return n
}

// transactionWorld is nodes that read from one shelf, and a run at the first.
func transactionWorld(t *testing.T, nodes int) (*world, *shelf, mesh.Session) {
	w, s := newWorld(t, nodes), &shelf{reads: map[mesh.Key]CausalRead{}}
	for _, n := range w.nodes {
		n.cfg.Causal, n.cfg.Commit, n.cfg.Read = s, s.commit, s.plain
	}
	of, err := w.at(0).Begin(mesh.Transactional)
	if err != nil {
		t.Fatal(err)
	}
	w.takePart(of)
	return w, s, of
}

// takePart has all nodes but the home execute something of a run.
func (w *world) takePart(of mesh.Session) {
	for i := range w.names[1:] {
		w.at(i + 1).Retain(of)
	}
}

func wantKind(t *testing.T, err error, kind mesh.ErrorKind) {
	t.Helper()
	if err == nil || mesh.KindOf(err) != kind {
		t.Errorf("got %v, want %v", err, kind)
	}
}

func TestWhatATransactionReadsIsOfOneMoment(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	s.put("x", "a", 1, lattice.Past{})
	if got := w.sees(of, 1, key("x")); got != "a1" {
		t.Fatalf("x is %s", got)
	}
	s.put("x", "a", 5, lattice.Past{})
	s.put("y", "b", 6, past("a", 5)) // by who had seen the later x
	if got := w.sees(of, 2, key("y")); got != "b6" {
		t.Fatalf("y is %s", got)
	}
	w.goesOn(of, 1, 0)
	w.goesOn(of, 2, 0)
	wantKind(t, w.at(0).Commit(t.Context(), of), mesh.Conflict)
	again, err := w.at(0).Again(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	w.takePart(again)
	w.goesOn(again, 0, 1)
	w.goesOn(again, 0, 2)
	if y, x := w.sees(again, 2, key("y")), w.sees(again, 1, key("x")); x != "a5" || y != "b6" {
		t.Errorf("the run that began anew sees x=%s y=%s", x, y)
	}
	s.put("x", "a", 9, lattice.Past{}) // which the run has seen nothing of
	if err := w.at(0).Commit(t.Context(), again); err != nil {
		t.Error(err)
	}
	for i := range 3 {
		w.at(i).End(again)
		w.at(i).Release(again)
		w.at(i).Release(of)
	}
	if open := w.at(0).Open(); open != 0 {
		t.Errorf("%d sessions are left at the home", open)
	}
}

func TestACommitWaitsForOwnersThatCannotTellYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, of := transactionWorld(t, 1)
		s.put("x", "a", 1, lattice.Past{})
		s.put("y", "b", 2, lattice.Past{})
		w.sees(of, 0, key("x"))
		w.sees(of, 0, key("y")) // since when x may be too old
		s.away = 5
		if err := w.at(0).Commit(t.Context(), of); err != nil {
			t.Error(err)
		}
		w.at(0).End(of)
		again, err := w.at(0).Begin(mesh.Transactional)
		if err != nil {
			t.Fatal(err)
		}
		w.sees(again, 0, key("x"))
		w.sees(again, 0, key("y"))
		s.away, s.asked = 1<<30, nil
		wantKind(t, w.at(0).Commit(t.Context(), again), mesh.Unavailable)
		if n := s.timesAsked("x"); n < 2 || n > 100 {
			t.Errorf("asked %d times", n)
		}
		w.at(0).End(again)
		time.Sleep(time.Minute) // until the contexts of reads have ended
	})
}

func TestACommitReadsAgainOnlyWhatMayBeTooOld(t *testing.T) {
	w, s, of := transactionWorld(t, 2)
	s.put("x", "a", 1, lattice.Past{})
	s.put("y", "b", 2, lattice.Past{})
	s.reads[key("n")] = CausalRead{Value: lattice.New(lattice.GCounterKind), Found: true, Made: past("e", 3)}
	w.sees(of, 0, key("x"))
	w.sees(of, 0, key("n"))
	w.sees(of, 0, key("y")) // which is a register, and the last one
	s.asked = nil
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Fatal(err)
	}
	if x, n, y := s.timesAsked("x"), s.timesAsked("n"), s.timesAsked("y"); x != 1 || n != 1 || y != 0 {
		t.Errorf("x was read %d times more, n %d times and y %d times, want 1, 1 and 0", x, n, y)
	}
}

// A key that changes again and again is seen in one version.
func TestARunThatReadsOneRegisterNeverBeginsAnew(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	for i := range 3 {
		s.put("x", "a", uint64(i+1), lattice.Past{})
		if got := w.sees(of, i, key("x")); got != "a1" {
			t.Errorf("node %d sees %s", i, got)
		}
		if i < 2 {
			w.goesOn(of, i, i+1)
		}
	}
	w.goesOn(of, 2, 0)
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Error(err)
	}
}

func TestWhatATransactionWritesIsMadeAtItsEnd(t *testing.T) {
	w, s, of := transactionWorld(t, 3)
	s.put("x", "a", 1, past("d", 3))
	set := func(i int, name, payload string) error {
		return w.at(i).Put(t.Context(), of, Write{key(name), lattice.LWWKind, lattice.SetOp([]byte(payload)), ""}, func(*Causes) error {
			t.Error("a write is made before the commit")
			return nil
		})
	}
	w.sees(of, 1, key("x"))
	long := string(slices.Repeat([]byte("v"), 3*inlineBytes))
	for i, err := range []error{set(1, "x", "1"), set(2, "x", "2"), set(2, "y", long), w.at(1).Delete(t.Context(), of, key("z"), nil)} {
		if err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
	}
	if x, y, z := w.sees(of, 1, key("x")), w.sees(of, 0, key("y")), w.sees(of, 2, key("z")); x != "2" || y != long || z != "nothing" {
		t.Errorf("the run sees x=%s, y of %d bytes, z=%s of what it wrote", x, len(y), z)
	}
	if s.committed != nil {
		t.Fatal("something was committed")
	}
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Fatal(err)
	}
	want := []txn.Write{{Key: key("x"), Value: []byte("2")}, {Key: key("y"), Value: []byte(long)}, {Key: key("z"), Deletes: true}}
	same := func(a, b txn.Write) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Deletes == b.Deletes
	}
	if !slices.EqualFunc(s.committed, want, same) {
		t.Errorf("committed %v", s.committed)
	}
	if !s.seen.Covers(past("a", 1).Join(past("d", 3))) {
		t.Errorf("the writes come after %v", s.seen)
	}
	// Stages that lost a race, and have not heard of it, write no more.
	wantKind(t, set(2, "x", "3"), mesh.Unavailable)
}

func TestATransactionWritesRegistersWithinBounds(t *testing.T) {
	w, _, of := transactionWorld(t, 2)
	put := func(name string, kind lattice.Kind, op lattice.Op) error {
		return w.at(1).Put(t.Context(), of, Write{key(name), kind, op, ""}, nil)
	}
	wantKind(t, put("n", lattice.PNCounterKind, lattice.IncOp(1)), mesh.Invalid)
	wantKind(t, put("big", lattice.LWWKind, lattice.SetOp(make([]byte, txn.MaxBytes+1))), mesh.Invalid)
	for i := range txn.MaxKeys {
		for range 2 { // again is no key more
			if err := put(fmt.Sprint("k", i), lattice.LWWKind, lattice.SetOp([]byte("v"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantKind(t, put("one more", lattice.LWWKind, lattice.SetOp([]byte("v"))), mesh.Invalid)
	if err := w.at(0).Commit(t.Context(), of); err != nil {
		t.Error(err)
	}
}

func TestAWriteThatIsTriedAgainIsNoKeyMore(t *testing.T) {
	tx, value := newTransaction(nil), lattice.New(lattice.LWWKind)
	write := func(name string) error { return tx.mayWrite(key(name), &seen{value: value}) }
	for i := range txn.MaxKeys {
		if err := write(fmt.Sprint("k", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := write("k0"); err != nil { // the first time it came to nothing
		t.Error(err)
	}
	wantKind(t, write("one more"), mesh.Invalid)
}
