package txn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

const home = 3 // a node that owns nothing

func TestACommitMakesAllWritesUnderOneStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		later := lattice.Stamp{Time: w.at(0).clock.Now().Time + 1000, Node: "x"}
		if _, err := w.at(1).Write(t.Context(), sets("old", "b")[0], later, lattice.Past{}, true); err != nil {
			t.Fatal(err)
		}
		needs := lattice.PastOf(lattice.Stamp{Time: later.Time + 50, Node: "y"})
		writes := append(sets("new", "a", "b"), sets("-", "c")...)
		made, err := w.at(home).Commit(t.Context(), writes, needs)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, name := range []string{"a", "b", "c"} {
			v, err := w.at(1).quorum(t.Context(), key(name))
			want := string(writes[i].Value)
			if writes[i].Deletes {
				want = "-"
			}
			if err != nil || v.value != want || !v.sealed || v.at.Node != string(w.names[home]) || v.at.Time <= later.Time+50 || !v.needs.Covers(needs.Join(made)) {
				t.Errorf("%s is %v, %v", name, v, err)
			}
		}
		if made.IsZero() || w.left() > 0 || w.goesOn(home) > 0 || len(w.at(home).behind) > 0 {
			t.Errorf("made %v; %d records are left", made, w.left())
		}
	})
}

func TestASingleWriteIsOrdinary(t *testing.T) {
	w := newWorld(t, 4)
	if made, err := w.at(home).Commit(t.Context(), nil, lattice.Past{}); err != nil || !made.IsZero() {
		t.Errorf("no writes: %v, %v", made, err)
	}
	made, err := w.at(home).Commit(t.Context(), sets("v", "a"), lattice.Past{})
	v, _ := w.at(1).quorum(t.Context(), key("a"))
	if err != nil || v.value != "v" || !v.sealed || made.Compare(lattice.PastOf(v.at)) != lattice.Equal || w.count("keep")+w.count("latest") > 0 {
		t.Errorf("%v, made %v, %v", v, made, err)
	}
}

func TestWhatIsNoTransactionIsInvalid(t *testing.T) {
	w := newWorld(t, 4)
	var many []string
	for i := range MaxKeys + 1 {
		many = append(many, fmt.Sprint(i))
	}
	for name, writes := range map[string][]Write{
		"at most 64": sets("v", many...), "at most 4194304": sets(strings.Repeat("v", MaxBytes/2+1), "a", "b"),
		"one write of each": sets("v", "a", "b", "a"), "expected 1 to": sets("v", "a", ""),
	} {
		if _, err := w.at(home).Commit(t.Context(), writes, lattice.Past{}); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.asked) > 0 {
		t.Errorf("requests were made: %v", w.asked)
	}
	if _, err := w.at(home).Commit(t.Context(), sets(strings.Repeat("v", MaxBytes/MaxKeys), many[1:]...), lattice.Past{}); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
}

// failing makes requests of a method fail, by all nodes, until it is called.
func (w *world) failing(method string, err error) (until func()) {
	w.set(func() {
		w.fails = func(_ mesh.NodeID, m string, _ mesh.Key) error {
			if m == method {
				return err
			}
			return nil
		}
	})
	return func() { w.set(func() { w.fails = nil }) }
}

func TestWithoutTheLatestStampsNothingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		for _, err := range []*mesh.Error{mesh.Errorf(mesh.KindMismatch, "", "a set"), errLost} {
			until := w.failing("latest", err)
			if _, got := w.at(home).Commit(t.Context(), sets("v", "a", "b"), lattice.Past{}); !errors.Is(got, err.Kind) {
				t.Errorf("%v", got)
			}
			until()
		}
		if w.count("keep")+w.count("write") > 0 {
			t.Errorf("%v", w.asked)
		}
		tooFar := lattice.PastOf(lattice.Stamp{Time: w.at(0).clock.Now().Time + 3600*1000<<16, Node: "x"})
		if _, err := w.at(home).Commit(t.Context(), sets("v", "a", "b"), tooFar); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

func TestAWriteOfAKeyThatIsNoRegisterAnyMoreIsLostAndTheOthersAreMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fails = func(_ mesh.NodeID, method string, k mesh.Key) error {
			if method == "write" && k == key("b") {
				return mesh.Errorf(mesh.KindMismatch, "", "a set")
			}
			return nil
		}
		_, err := w.at(home).Commit(t.Context(), sets("v", "a", "b", "c"), lattice.Past{})
		synctest.Wait()
		if err != nil || !w.shows(1, "v", "a", "c") || !w.sealed("a", "c") || w.left() > 0 {
			t.Error(err, w.left())
		}
	})
}

func commitFor(w *world, long time.Duration, writes []Write) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), long)
	defer cancel()
	_, err := w.at(home).Commit(ctx, writes, lattice.Past{})
	return err
}

func TestACommitGoesOnOnceItsCallerHasGone(t *testing.T) {
	for method, says := range map[string]string{"keep": "may take effect", "write": "all the same"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			until := w.failing(method, errLost)
			err := commitFor(w, time.Second, sets("v", "a", "b"))
			if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "too few owners") {
				t.Errorf("%s: %v", method, err)
			}
			if w.shows(1, "v", "a", "b") {
				t.Error("it shows already")
			}
			until()
			time.Sleep(2 * time.Second) // nobody sweeps
			if !w.sealed("a", "b") || !w.shows(1, "v", "a", "b") || w.left() > 0 || len(w.at(home).behind) > 0 {
				t.Errorf("%s: it did not go on", method)
			}
		})
	}
}

func TestACommitThatIsNotThroughInTimeIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		until := w.failing("write", errLost)
		if err := commitFor(w, time.Second, sets("v", "a", "b")); !errors.Is(err, mesh.Unavailable) {
			t.Error(err)
		}
		time.Sleep(w.at(home).Linger + time.Second)
		if w.goesOn(home) > 0 || len(w.at(home).behind) > 0 {
			t.Error("it goes on for ever")
		}
		until()
		w.spread()
		w.sweep(5 * time.Second)
		if !w.sealed("a", "b") || !w.shows(1, "v", "a", "b") || w.left() > 0 {
			t.Error("nobody took it up")
		}
	})
}

func TestARecordThatIsKeptWithoutAnAnswerIsKeptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		times := 0
		w.forget = func(_ mesh.NodeID, method string) bool {
			if method == "keep" {
				times++
			}
			return method == "keep" && times < 3
		}
		_, err := w.at(home).Commit(t.Context(), sets("v", "a", "b"), lattice.Past{})
		synctest.Wait()
		if err != nil || times != 3 || !w.sealed("a", "b") || w.left() > 0 {
			t.Errorf("kept %d times, %v", times, err)
		}
	})
}

func TestACallerWhoHearsOfNoRecordMayStillSeeTheWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.forget = func(by mesh.NodeID, method string) bool { return by == w.names[home] && method == "keep" }
		if err := commitFor(w, time.Second, sets("v", "a", "b")); !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "may take effect") {
			t.Error(err)
		}
		w.at(home).Close()
		w.set(func() { w.dead[w.names[home]] = true })
		w.spread()
		w.sweep(2500 * time.Millisecond)
		if !w.sealed("a", "b") || !w.shows(1, "v", "a", "b") || w.left() > 0 {
			t.Error("the record was there, and nobody completed it")
		}
	})
}

// While commits that have been answered wait for owners, only so many go on
// without a caller; the next one waits for a while, and is then left to others.
func TestCallersDoNotOutrunCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, func(o *Options) { o.Behind = 1 })
		until := w.failing("drop", errLost)
		begun := time.Now()
		if err := commitFor(w, time.Minute, sets("v", "a", "b")); err != nil || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if err := commitFor(w, time.Minute, sets("v", "c", "d")); err != nil || time.Since(begun) != w.at(home).Patience {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if err := commitFor(w, time.Second, sets("v", "e", "f")); err != nil || time.Since(begun) != w.at(home).Patience+time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		synctest.Wait()
		if n := w.goesOn(home); n != 1 {
			t.Errorf("%d commits go on", n)
		}
		until()
		time.Sleep(time.Second)
		if n := len(w.at(home).behind); n != 0 || w.left() != 2 {
			t.Errorf("%d places are taken; %d records", n, w.left())
		}
		w.sweep(5 * time.Second)
		if w.left() != 0 || !w.sealed("a", "b", "c", "d", "e", "f") {
			t.Error("what was left was not taken up")
		}
	})
}

func TestClosingInTheMiddleLeavesAllOrNothing(t *testing.T) {
	for step := 1; ; step++ {
		last := false
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			w.lag = time.Millisecond
			n := 0
			stuck := make(chan struct{})
			w.fails = func(by mesh.NodeID, _ string, _ mesh.Key) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if by == w.names[home] {
					if n++; n == step {
						w.rest[by] = make(chan struct{}) // for ever
						close(stuck)
					}
				}
				return nil
			}
			done := make(chan error, 1)
			go func() {
				_, err := w.at(home).Commit(t.Context(), sets("v", "a", "b"), lattice.Past{})
				done <- err
			}()
			timer := time.After(time.Second)
			select {
			case <-stuck:
			case <-timer:
				last = true
			}
			synctest.Wait()
			begun := time.Now()
			if n > 2 { // before, nothing is under way but the caller's own requests
				w.at(home).Close()
			} else {
				w.at(home).stop()
				w.set(func() { close(w.rest[w.names[home]]); delete(w.rest, w.names[home]) })
				w.at(home).Close()
			}
			err := <-done
			if time.Since(begun) > time.Second || err != nil && !errors.Is(err, mesh.Unavailable) {
				t.Errorf("request %d: %v after %v", step, err, time.Since(begun))
			}
			w.set(func() { w.dead[w.names[home]] = true })
			all := w.shows(1, "v", "a", "b")
			w.spread()
			w.sweep(2500 * time.Millisecond)
			if now := w.shows(2, "v", "a", "b"); all && !now || err == nil && !now || w.left() > 0 || now && !w.sealed("a", "b") {
				t.Errorf("request %d: %v, and all show: %v before, %v after; %d records", step, err, all, now, w.left())
			}
			if _, err := w.at(home).Commit(t.Context(), sets("v", "a", "b"), lattice.Past{}); err == nil {
				t.Error("it commits once closed")
			}
		})
		if last {
			break
		}
	}
}
