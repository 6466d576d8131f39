package replica

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// flush reports whether Flush has returned, and what it gave.
func flush(t *testing.T, r *Replica, to mesh.NodeID) (done func() (uint64, bool)) {
	var unsure uint64
	returned := make(chan struct{})
	go func() {
		unsure, _ = r.Flush(t.Context(), to)
		close(returned)
	}()
	synctest.Wait() // it has begun to wait
	return func() (uint64, bool) {
		synctest.Wait()
		select {
		case <-returned:
			return unsure, true
		default:
			return 0, false
		}
	}
}

func TestAFlushWaitsForWhatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Replica{}
		f := &r.flights
		all := []mesh.NodeID{"a", "b", "c"}
		first := f.depart([]mesh.NodeID{"b", "c"}, all, "a")
		b, c := flush(t, r, "b"), flush(t, r, "c")
		later := f.depart([]mesh.NodeID{"b", "c"}, all, "a")
		f.landed(first, "b", true)
		if _, done := b(); done {
			t.Error("b has all before the write is in the store here")
		}
		f.applied(first)
		if unsure, done := b(); !done || unsure != 0 {
			t.Errorf("b: %v, unsure %d", done, unsure)
		}
		if _, done := c(); done {
			t.Error("c has what it has not answered")
		}
		f.landed(first, "c", false)
		if unsure, done := c(); !done || unsure != 1 {
			t.Errorf("c: %v, unsure %d, want once", done, unsure)
		}
		f.crash(later, true)
		if unsure, _ := r.Flush(t.Context(), "b"); unsure != 1 {
			t.Errorf("after a write that was sent to nobody b is unsure %d times, want once", unsure)
		}
		f.landed(first, "c", true) // late, and known
		f.confuse()
		if unsure, _ := r.Flush(t.Context(), "c"); unsure != 3 {
			t.Errorf("c is unsure %d times, want 3", unsure)
		}
	})
}

func TestWhoShouldOwnAKeyAndIsNotSentAWriteMissesIt(t *testing.T) {
	r := &Replica{}
	w := r.flights.depart([]mesh.NodeID{"b"}, []mesh.NodeID{"a", "b", "away"}, "a")
	r.flights.applied(w)
	r.flights.landed(w, "b", true)
	for node, want := range map[mesh.NodeID]uint64{"a": 0, "b": 0, "away": 1, "stranger": 0} {
		if unsure, err := r.Flush(t.Context(), node); err != nil || unsure != want {
			t.Errorf("%s: %d, %v, want %d", node, unsure, err, want)
		}
	}
}

func TestAFlushEndsWithItsContext(t *testing.T) {
	r := &Replica{}
	r.flights.depart([]mesh.NodeID{"b"}, nil, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Flush(ctx, "b"); mesh.KindOf(err) != mesh.Cancelled {
		t.Errorf("Flush = %v, want Cancelled", err)
	}
	if r.flights.isFirm(ctx, mesh.Key{}, 5) {
		t.Error("it is firm before the outcome is known")
	}
}

func TestWhatIsFirmIsKnownWithTheOutcome(t *testing.T) {
	for _, enough := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, key := &Replica{}, mesh.Key{Namespace: "n", Name: "k"}
			r.flights.doubts.now = func() lattice.Stamp { return lattice.Stamp{Time: 7} }
			w := r.flights.depart([]mesh.NodeID{"b"}, nil, "a")
			firm := make(chan bool, 1)
			go func() { firm <- r.flights.isFirm(t.Context(), key, 5) }()
			synctest.Wait()
			if len(firm) > 0 {
				t.Error("before the outcome is known")
			}
			r.flights.conclude(w, enough)
			if is := <-firm; is != enough {
				t.Errorf("firm = %v: enough owners hold it: %v", is, enough)
			}
			r.flights.found(key, 5)
			if !r.flights.isFirm(t.Context(), key, 5) {
				t.Error("not firm, and most owners hold it")
			}
			if is := r.flights.isFirm(t.Context(), key, 6); is != enough {
				t.Errorf("a later write of the key is firm: %v, and too few owners held one: %v", is, !enough)
			}
			if !r.flights.isFirm(t.Context(), key, 8) {
				t.Error("a write after all that is in doubt is not firm")
			}
		})
	}
}
