package txn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

// At whichever step its home dies, whether that step was still taken or not:
// others see all writes or none, whoever comes first, and what has been answered
// is there.
func TestATransactionIsWholeAtWhicheverStepItsHomeDies(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	for _, home := range []int{home, 0} { // an owner of all, too: the two others are most then
		for _, late := range []bool{false, true} {
			for _, readersFirst := range []bool{false, true} {
				dieAtEach(t, seed, home, late, readersFirst)
			}
		}
	}
}

func dieAtEach(t *testing.T, seed uint64, home int, late, readersFirst bool) {
	names := []string{"a", "b", "c"}
	none, whole := 0, 0
	for step := 1; ; step++ {
		survived := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			w.random, w.lag, w.late = rand.New(rand.NewPCG(seed, uint64(step))), time.Millisecond, late
			w.dies[w.names[home]] = step
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := w.at(home).Commit(ctx, sets("v", names...), lattice.Past{})
			if err == nil {
				time.Sleep(time.Second) // or until it dies
			}
			if survived = !w.isDead(home); survived {
				return
			}
			w.at(home).Close()
			all := false
			if readersFirst {
				all = w.shows(1, "v", names...)
				if again := w.shows(2, "v", names...); all && !again {
					t.Error("who reads next sees nothing of it")
				} else {
					all = again
				}
			}
			w.sweep(2500 * time.Millisecond)
			w.spread()
			w.sweep(5 * time.Second)
			now := w.shows(1, "v", names...)
			if now {
				whole++
			} else {
				none++
			}
			if all && !now || err == nil && !now || w.left() > 0 || now && !w.sealed(names...) {
				t.Errorf("home %d, step %d, taken %v: %v, and all show: %v before, %v now; %d records", home, step, late, err, all, now, w.left())
			}
		})
		if survived {
			t.Logf("home %d, taken %v, readers first %v: of %d deaths %d left nothing", home, late, readersFirst, whole+none, none)
			break
		}
	}
	if none < 3 || whole < 10 {
		t.Errorf("%d deaths left nothing, %d the whole", none, whole)
	}
}

// The same of who completes what a home has left, with a record that all its
// owners have, or only the one who completes it, of which two are asked.
func TestATransactionIsWholeAtWhicheverStepItDiesWhoCompletesIt(t *testing.T) {
	for _, c := range []struct {
		by      int
		holders []int
	}{{4, []int{0, 1, 2}}, {0, []int{0, 1, 2}}, {0, []int{0}}} {
		none, whole := 0, 0
		for step, survived := 1, false; !survived; step++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 5)
				w.random, w.lag, w.late = rand.New(rand.NewPCG(1, uint64(step))), time.Millisecond, step%2 == 0
				at := w.at(home).clock.Now()
				w.dead[w.names[home]] = true
				w.put(at, newRecord(at, lattice.Past{}, sets("v", "a", "b", "c")).encode(), c.holders...)
				w.dies[w.names[c.by]] = step
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				for range 10 { // the record is found when the only owner is asked who has it
					_ = w.at(c.by).Resolve(ctx, at)
				}
				time.Sleep(time.Second)
				survived = !w.isDead(c.by)
				w.at(c.by).Close()
				all := w.shows(1, "v", "a", "b", "c")
				w.sweep(5 * time.Second)
				w.spread()
				w.sweep(5 * time.Second)
				now := w.shows(2, "v", "a", "b", "c")
				if now {
					whole++
				} else {
					none++
				}
				if all && !now || now && !w.sealed("a", "b", "c") || w.left() > 0 && !survived {
					t.Errorf("%v, step %d: all show: %v before, %v now; %d records", c, step, all, now, w.left())
				}
			})
		}
		t.Logf("%v: %d left the whole, %d nothing yet", c, whole, none)
		if whole < 10 {
			t.Errorf("%v: the whole was left %d times", c, whole)
		}
	}
}

// Several homes write some of the same keys while steps and answers are lost,
// nodes are cut off, and homes die and are started anew. A reader that has seen
// one write of a transaction sees all the others, or what came after them.
func TestReadersNeverSeeAPart(t *testing.T) {
	for range 12 {
		seed := rand.Uint64()
		t.Log("seed", seed)
		synctest.Test(t, func(t *testing.T) { newWeather(t, seed).run() })
		if t.Failed() {
			return
		}
	}
}

var weatherKeys = []string{"a", "b", "c", "d", "e"}

// weather is a world with transactions, readers and faults at random.
type weather struct {
	*world
	*rand.Rand // of the test's own goroutine

	lock    sync.Mutex
	keys    map[string][]string // of transactions, by value
	settled map[string]bool     // those that were answered
}

func newWeather(t *testing.T, seed uint64) *weather {
	w := newWorld(t, 6)
	w.random, w.lag, w.loss = rand.New(rand.NewPCG(seed, 1)), 5*time.Millisecond, 0.05
	return &weather{world: w, Rand: rand.New(rand.NewPCG(seed, 2)), keys: map[string][]string{}, settled: map[string]bool{}}
}

func (w *weather) run() {
	ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for home := 3; home < 6; home++ {
		all.Go(func() { w.inhabit(ctx, home) })
	}
	for by := range 3 {
		all.Go(func() { w.at(by).Run(ctx) })
		all.Go(func() {
			for ctx.Err() == nil {
				w.look(ctx, by)
			}
		})
	}
	for ctx.Err() == nil { // one owner at a time
		cut := w.names[w.IntN(3)]
		w.set(func() { w.cut[cut] = true })
		wait(ctx, time.Duration(w.IntN(500))*time.Millisecond)
		w.set(func() { delete(w.cut, cut) })
		wait(ctx, time.Duration(w.IntN(500))*time.Millisecond)
		w.spread()
	}
	all.Wait()
	w.set(func() { w.loss = 0 })
	for range 3 { // what the last pass has kept again is there to be spread, too
		w.sweep(10 * time.Second)
		w.world.work.Wait()
		w.spread()
	}
	w.conclude()
}

// inhabit is the life of a home: it commits, dies at some step, and is started anew.
func (w *weather) inhabit(ctx context.Context, home int) {
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprint(home, "/", n)
		w.lock.Lock()
		names := w.shuffled(weatherKeys)[:2+n%3]
		w.keys[value] = names
		w.lock.Unlock()
		w.set(func() {
			if w.random.IntN(4) == 0 {
				id := w.names[home]
				w.dies[id], w.late = w.steps[id]+1+w.random.IntN(40), w.random.IntN(2) == 0
			}
		})
		within, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		_, err := w.at(home).Commit(within, sets(value, names...), lattice.Past{})
		cancel()
		if err == nil {
			w.lock.Lock()
			w.settled[value] = true
			w.lock.Unlock()
			w.find(ctx, value, names[0])
		}
		wait(ctx, 10*time.Millisecond)
		if w.isDead(home) {
			w.at(home).Close()
			w.start(home)
		}
	}
	w.set(func() { delete(w.dies, w.names[home]) })
	if w.isDead(home) {
		w.at(home).Close()
		w.start(home)
	}
}

// find checks that what was answered is there for all.
func (w *weather) find(ctx context.Context, value, name string) {
	w.mu.Lock()
	at, by := w.stamps[value], w.random.IntN(3)
	w.mu.Unlock()
	if v, err := w.at(by).get(ctx, key(name)); err == nil && at.After(v.at) {
		w.t.Errorf("%q was written, and %s is %v", value, name, v)
	}
}

// look reads a key, and then all that was written with what that shows.
func (w *weather) look(ctx context.Context, by int) {
	first, err := w.at(by).get(ctx, key(w.shuffled(weatherKeys)[0]))
	if err != nil {
		wait(ctx, time.Millisecond)
		return
	}
	w.lock.Lock()
	names := w.keys[first.value]
	w.lock.Unlock()
	for _, name := range w.shuffled(names) {
		next, err := w.at(by).get(ctx, key(name))
		if err == nil && first.at.After(next.at) {
			w.t.Errorf("%q was seen, and then in %s %q of before that", first.value, name, next.value)
		}
	}
}

// conclude checks that each transaction of which a write shows is there as a
// whole, sealed, and that of those that were answered nothing is missing.
func (w *weather) conclude() {
	now, is := map[string]version{}, map[string]bool{}
	for _, name := range weatherKeys {
		v, err := w.at(1).quorum(w.t.Context(), key(name))
		if err != nil || !v.sealed {
			w.t.Errorf("%s is %v, %v", name, v, err)
		}
		now[name], is[v.value] = v, true
	}
	for value, names := range w.keys {
		for _, name := range names {
			if at := w.stamps[value]; (is[value] || w.settled[value]) && at.After(now[name].at) {
				w.t.Errorf("%q was written, and %s is %v of before that", value, name, now[name])
			}
		}
	}
	if n := w.left(); n > 0 {
		w.t.Errorf("%d records are left", n)
	}
	if len(w.settled) == 0 || len(w.settled) == len(w.keys) {
		w.t.Errorf("%d of %d transactions were answered", len(w.settled), len(w.keys))
	}
	w.t.Logf("%d of %d transactions were answered", len(w.settled), len(w.keys))
	for i := range w.names {
		n := w.at(i)
		n.mu.Lock()
		if len(n.commits)+len(n.flights)+len(n.behind)+len(n.atHand)+len(n.sweep.places) > 0 {
			w.t.Errorf("node %d still has %d commits, %d flights", i, len(n.commits), len(n.flights))
		}
		n.mu.Unlock()
	}
}
