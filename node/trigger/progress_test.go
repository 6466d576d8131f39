package trigger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// ready begins all events that may run, and gives their keys.
func ready(p *progress, now time.Time) (begun []*event) {
	for {
		e, _ := p.next(now)
		if e == nil {
			return begun
		}
		p.begin(e)
		begun = append(begun, e)
	}
}

func keys(events []*event) (names []string) {
	for _, e := range events {
		names = append(names, e.key)
	}
	return names
}

func TestNothingRunsBeforeItIsSaved(t *testing.T) {
	p := &progress{}
	p.changed("a")
	if got := ready(p, noon); got != nil || !p.fresh {
		t.Errorf("%v may run", keys(got))
	}
	p.saved()
	p.changed("b")
	if got := keys(ready(p, noon)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%v may run: expected a", got)
	}
}

func TestChangesOfAKeyThatWaitsBecomeOneEvent(t *testing.T) {
	p := &progress{}
	p.changed("a")
	p.changed("a")
	p.saved()
	running := ready(p, noon)
	if len(running) != 1 {
		t.Fatalf("%v run", keys(running))
	}
	p.changed("a")
	p.changed("a")
	if got := ready(p, noon); got != nil {
		t.Errorf("%v runs while its key runs", keys(got))
	}
	p.end(outcome{event: running[0]}, 3, noon)
	p.saved()
	again := ready(p, noon)
	if len(again) != 1 || again[0].number == running[0].number {
		t.Errorf("%v run: expected a once more, as another event", keys(again))
	}
	if p.fired != 1 || !p.lastFired.Equal(noon) {
		t.Errorf("fired %d at %v", p.fired, p.lastFired)
	}
}

func TestAttemptsOfAnEvent(t *testing.T) {
	boom := mesh.Errorf(mesh.UserError, "", "boom")
	away := mesh.Errorf(mesh.Unavailable, "", "nobody runs it")
	for _, test := range []struct {
		errs   []error
		over   bool
		failed uint64
	}{
		{[]error{boom, boom}, false, 0},
		{[]error{boom, boom, boom}, true, 1},
		{[]error{away, away, away, away, away, boom, boom}, false, 0},
		{[]error{boom, away, boom, away, boom}, true, 1},
		{[]error{mesh.Errorf(mesh.Cancelled, "", "by hand")}, true, 1},
		{[]error{errors.New("internal"), nil}, true, 0},
	} {
		p, now, over := &progress{}, noon, false
		p.changed("a")
		p.saved()
		for n, err := range test.errs {
			running := ready(p, now)
			if len(running) != 1 || running[0].attempt != uint32(n) {
				t.Fatalf("%v: %d events run", test.errs, len(running))
			}
			if over = p.end(outcome{event: running[0], ended: true, err: err}, 3, now); over {
				break
			}
			if e, at := p.next(now); e != nil || !at.After(now) {
				t.Errorf("%v: the next attempt is at %v, without a pause", test.errs, at)
			} else {
				now = at
			}
		}
		if over != test.over || p.failed != test.failed || over != (len(p.events) == 0) {
			t.Errorf("%v: over %v, failed %d: expected %v, %d", test.errs, over, p.failed, test.over, test.failed)
		}
	}
}

// What may be run yet, or has run where nobody can tell now, is run under the id that it had.
func TestARunThatDidNotEndKeepsItsID(t *testing.T) {
	p, def := &progress{}, &mesh.Trigger{Cause: mesh.Cause{Kind: mesh.OnPrefix}}
	p.changed("a")
	p.saved()
	e := ready(p, noon)[0]
	first := runID(def, *e, version{1})
	away := mesh.Errorf(mesh.Unavailable, "", "not known now")
	p.end(outcome{event: e, err: away}, 3, noon)
	if got := runID(def, *e, version{1}); got != first {
		t.Error("its id is another after it could not be begun")
	}
	if runID(def, *e, version{2}) == first {
		t.Error("another state of the key has the same id")
	}
	ready(p, e.due)
	p.end(outcome{event: e, ended: true, err: away}, 3, noon)
	if runID(def, *e, version{1}) == first {
		t.Error("its id is the same after a run ended and failed")
	}
}

func TestASlotTakesThePlaceOfOneThatWaits(t *testing.T) {
	p := &progress{}
	for slot := range int64(100) {
		p.came(slot)
		p.saved()
	}
	running := ready(p, noon)
	if len(running) != 1 || running[0].slot != 99 {
		t.Fatalf("%d run, the first of slot %d: expected the last alone", len(running), running[0].slot)
	}
	p.came(100)
	p.saved()
	if got := ready(p, noon); len(got) != 1 || got[0].slot != 100 {
		t.Error("a slot does not run beside the one before it")
	}
}

func TestProgressComesBackAsItWasSaved(t *testing.T) {
	p := &progress{token: []byte("token"), rescan: true, parts: 5, lastError: "no"}
	for n := range 3 {
		p.changed(fmt.Sprint("k", n))
	}
	p.saved()
	p.end(outcome{event: ready(p, noon)[0]}, 3, noon)
	saved := p.message("n1")
	again := readProgress(saved)
	if got := keys(ready(again, noon)); !slices.Equal(got, []string{"k1", "k2"}) {
		t.Errorf("%v run: expected k1 and k2", got)
	}
	if !proto.Equal(again.message("n1"), saved) {
		t.Errorf("%v came back as %v", saved, again.message("n1"))
	}
}

func TestAPaceIsKeptOverTime(t *testing.T) {
	p, now, begun := newPace(10, noon), noon, 0
	for now.Before(noon.Add(10 * time.Second)) {
		if p.take(now) {
			begun++
			continue
		}
		if !p.at().After(now) {
			t.Fatal("it asks to wait for the past")
		}
		now = p.at()
	}
	if begun < 105 || begun > 110 {
		t.Errorf("%d runs began within 10 s: expected 10 at once, and 10 a second", begun)
	}
	p.take(now.Add(-time.Hour)) // a clock that was set back
}

func TestWhatWasSeenIsSavedInParts(t *testing.T) {
	shelf := newShelf()
	def := &mesh.Trigger{Namespace: "default", Name: "t"}
	s := newSeen(100)
	for n := range 100 {
		s.set(fmt.Sprint("k", n), version{1})
	}
	parts, err := s.save(t.Context(), shelf, def)
	if err != nil {
		t.Fatal(err)
	}
	s.set("k1", version{2})
	s.set("k2", version{})
	s.set("k3", version{1})
	if got := len(s.messages()); got > 2 {
		t.Errorf("%d parts changed with two keys", got)
	}
	more, err := s.save(t.Context(), shelf, def)
	if err != nil {
		t.Fatal(err)
	}
	again := newSeen(100)
	if err := again.load(t.Context(), shelf, def, parts|more); err != nil {
		t.Fatal(err)
	}
	if len(again.versions) != 99 || again.versions["k1"] != (version{2}) || again.versions["k3"] != (version{1}) {
		t.Errorf("%d keys came back, k1 as %v", len(again.versions), again.versions["k1"])
	}
	for n := range 50 {
		again.set(fmt.Sprint("new", n), version{3})
	}
	if len(again.versions) != 100 {
		t.Errorf("it remembers %d keys: expected its bound, 100", len(again.versions))
	}
}
