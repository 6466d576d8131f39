package txn

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// put puts a record into owners' copies.
func (w *world) put(at lattice.Stamp, record []byte, owners ...int) {
	w.set(func() {
		w.dots++
		for _, i := range owners {
			w.at(i).records[at] = w.at(i).records[at].join(entry{kept: map[int]bool{w.dots: true}, record: record})
		}
	})
}

func TestARecordOfAHomeThatLivesIsLeftToItForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at := w.at(home).clock.Now()
		w.put(at, newRecord(at, lattice.Past{}, sets("v", "a", "b")).encode(), 0, 1, 2)
		w.at(0).Sweep(t.Context())
		time.Sleep(w.at(0).Patience - time.Millisecond)
		w.at(0).Sweep(t.Context())
		if w.sealed("a", "b") || w.count("record") > 0 {
			t.Error("it was taken from it")
		}
		time.Sleep(time.Millisecond)
		w.at(1).Sweep(t.Context()) // another owner is closer
		if w.sealed("a", "b") {
			t.Error("it was completed by who is not the closest")
		}
		w.at(0).Sweep(t.Context())
		if !w.sealed("a", "b") || !w.shows(1, "v", "a", "b") {
			t.Error("it was left alone")
		}
		synctest.Wait()
		if w.left() > 0 {
			t.Error("its record is still there")
		}
		for _, i := range []int{0, 1} { // both have forgotten it
			w.at(i).Sweep(t.Context())
			if len(w.at(i).sweep.seen) > 0 {
				t.Errorf("node %d knows of %v", i, w.at(i).sweep.seen)
			}
		}
	})
}

func TestARecordOfAHomeThatIsGoneIsCompletedAtOnce(t *testing.T) {
	for _, self := range []bool{false, true} { // it was this node, before it was started anew
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			at := w.at(home).clock.Now()
			if self {
				at = w.at(0).clock.Now()
			}
			w.put(at, newRecord(at, lattice.Past{}, sets("v", "a", "b")).encode(), 0, 1, 2)
			w.dead[w.names[home]] = true
			w.at(0).Sweep(t.Context())
			v, err := w.at(1).quorum(t.Context(), key("a"))
			if !w.sealed("a", "b") || err != nil || v.needs.Of("n0") <= at.Time {
				t.Errorf("it is %v, %v: it was left alone, or does not need the other", v, err)
			}
		})
	}
}

func TestAHomeThatLooksAfterItsOwnRecordDoesNotTakeItFromItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		until := w.failing("write", errLost)
		done := make(chan error, 1)
		go func() {
			_, err := w.at(0).Commit(t.Context(), sets("v", "a", "b"), lattice.Past{})
			done <- err
		}()
		for range 10 {
			time.Sleep(time.Second)
			w.spread()
			w.at(0).Sweep(t.Context())
		}
		if n := w.count("record"); n > 0 || w.left() != 1 {
			t.Errorf("the record was read %d times", n)
		}
		until()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A record that fewer owners than most have may be one that was dropped, or never kept.
func TestARecordThatMostOwnersDoNotHaveIsLeftUntilTheyDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.dead[w.names[home]] = true
		at := w.at(home).clock.Now()
		record := newRecord(at, lattice.Past{}, sets("v", "a", "b")).encode()
		w.put(at, record, 0, 1, 2)
		if err := w.at(1).DropRecord(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		w.work.Wait()
		w.set(func() { w.at(0).records[at] = entry{kept: map[int]bool{1: true}, record: record} }) // it has not heard of that
		w.sweep(5 * time.Second)
		if n := w.count("record"); n < 1 || n > 3 || w.sealed("a") || w.left() > 0 {
			t.Errorf("it was read %d times; sealed: %v", n, w.sealed("a"))
		}
	})
}

func TestADamagedRecordIsToldOnceAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := newWorld(t, 4, func(o *Options) {
			if o.Self == "n0" {
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
			}
		})
		bad, good := lattice.Stamp{Time: 1, Node: "gone"}, lattice.Stamp{Time: 2, Node: "gone"}
		w.dead["gone"] = true
		w.put(bad, []byte("damaged"), 0, 1, 2)
		w.put(good, newRecord(good, lattice.Past{}, sets("v", "a", "b")).encode(), 0, 1, 2)
		w.sweep(20 * time.Second)
		if !w.sealed("a", "b") || w.left() != 1 || strings.Count(log.String(), "damaged") != 1 {
			t.Errorf("%d records are left; told: %s", w.left(), log.String())
		}
		if err := w.at(1).Resolve(t.Context(), bad); !errors.Is(err, ErrDamaged) || !errors.Is(err, mesh.Internal) {
			t.Error(err)
		}
	})
}

// Transactions that cannot be completed now keep no others from being so.
func TestWhatIsStuckDoesNotKeepTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.dead["gone"] = true
		w.fails = func(_ mesh.NodeID, method string, k mesh.Key) error {
			if method == "write" && k == key("stuck") {
				return errLost
			}
			return nil
		}
		for i := range 3 * sweptAtOnce {
			at := lattice.Stamp{Time: uint64(i + 1), Node: "gone"}
			names := []string{"a", "stuck"}
			if i%3 == 0 {
				names = []string{"a", "b"}
			}
			w.put(at, newRecord(at, lattice.Past{}, sets("v", names...)).encode(), 0, 1, 2)
		}
		w.sweep(3 * time.Minute)
		if n := w.left(); n != 2*sweptAtOnce || !w.sealed("b") {
			t.Errorf("%d records are left", n)
		}
		w.set(func() { w.fails = nil })
		w.sweep(2 * time.Minute)
		if n := w.left(); n != 0 || !w.sealed("stuck") {
			t.Errorf("%d records are left in the end", n)
		}
	})
}

// The sweep looks for the record of a transaction before most owners have it;
// who reads a write of it meanwhile is not told that there is none.
func TestWhoResolvesIsNotToldWhatTheSweepFoundBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		at := lattice.Stamp{Time: 1, Node: "gone"}
		w.dead["gone"] = true
		var once sync.Once
		looked, goOn := make(chan struct{}), make(chan struct{})
		w.forget = func(_ mesh.NodeID, method string) bool {
			if method == "record" {
				once.Do(func() {
					close(looked)
					<-goOn
				})
			}
			return false
		}
		f, err := w.at(0).join(at, true)
		if err != nil {
			t.Fatal(err)
		}
		<-looked
		w.put(at, newRecord(at, lattice.Past{}, sets("v", "a", "b")).encode(), 0, 1, 2)
		resolved := make(chan error)
		go func() { resolved <- w.at(0).Resolve(t.Context(), at) }()
		synctest.Wait()
		close(goOn)
		if err := <-resolved; err != nil || !w.sealed("a", "b") || f.found {
			t.Errorf("%v; found by the sweep: %v", err, f.found)
		}
	})
}
