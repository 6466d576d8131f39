package hlc

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// wall is a wall clock that stands where it is put.
type wall struct{ at time.Time }

func (w *wall) now() time.Time { return w.at }

func newTestClock() (*Clock, *wall) {
	w := &wall{at: time.UnixMilli(1_800_000_000_000)}
	return New("n", w.now, time.Minute), w
}

func TestNowIncreasesWhateverTheWallClockDoes(t *testing.T) {
	c, w := newTestClock()
	last := c.Now()
	for _, step := range []time.Duration{0, 0, time.Second, -time.Hour, 0, time.Millisecond, 2 * time.Hour} {
		w.at = w.at.Add(step)
		next := c.Now()
		if !next.After(last) || next.Node != "n" {
			t.Errorf("after a step of %v: %v, want later than %v", step, next, last)
		}
		last = next
	}
	if !last.Physical().Equal(w.at.UTC()) {
		t.Errorf("the clock reads %v, want the wall's %v again", last.Physical(), w.at)
	}
}

func TestTheHorizonFollowsTheWallClockOnly(t *testing.T) {
	c, w := newTestClock()
	if err := c.Observe(lattice.Stamp{Time: c.Horizon(30 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	at := lattice.Stamp{Time: c.Horizon(time.Second)}
	if want := w.at.Add(time.Second).UTC(); !at.Physical().Equal(want) {
		t.Errorf("a second ahead is %v, want %v", at.Physical(), want)
	}
}

func TestObserveMovesTheClock(t *testing.T) {
	c, w := newTestClock()
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Second, time.Minute} {
		remote := lattice.Stamp{Node: "z"}.Next(w.at.Add(ahead))
		if err := c.Observe(remote); err != nil {
			t.Fatal(err)
		}
		if got := c.Now(); !got.After(remote) {
			t.Errorf("after observing %v: %v, want later", remote, got)
		}
	}
}

func TestObserveRefusesTheFarFuture(t *testing.T) {
	c, w := newTestClock()
	before := c.Now()
	remote := lattice.Stamp{Node: "z"}.Next(w.at.Add(time.Minute + time.Millisecond))
	if err := c.Observe(remote); !errors.Is(err, mesh.Invalid) {
		t.Errorf("Observe = %v, want Invalid", err)
	}
	if got := c.Now(); got.Time != before.Time+1 {
		t.Errorf("the refused stamp moved the clock from %v to %v", before, got)
	}
	w.at = w.at.Add(time.Second)
	if err := c.Observe(remote); err != nil {
		t.Errorf("the same stamp a second later: %v", err)
	}
}

func TestConcurrentStampsAreDistinct(t *testing.T) {
	c := New("n", time.Now, 0)
	const goroutines, each = 8, 1000
	var mu sync.Mutex
	seen := make(map[lattice.Stamp]bool, goroutines*each)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				s := c.Now()
				mu.Lock()
				seen[s] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != goroutines*each {
		t.Errorf("%d stamps, want %d distinct ones", len(seen), goroutines*each)
	}
}

func BenchmarkNow(b *testing.B) {
	c := New("n", time.Now, 0)
	for b.Loop() {
		c.Now()
	}
}
