package trigger

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// tally counts runs by id, whichever node began them.
type tally struct {
	mu   sync.Mutex
	runs map[mesh.RunID]int
	took time.Duration // of a run
}

func (*tally) Check(context.Context, *mesh.Trigger) error { return nil }

func (r *tally) Run(ctx context.Context, id mesh.RunID, _ *mesh.Trigger, _ []mesh.Value) (bool, error) {
	r.mu.Lock()
	r.runs[id]++
	r.mu.Unlock()
	select {
	case <-time.After(r.took):
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (r *tally) count() (runs, ids int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.runs {
		runs += n
	}
	return runs, len(r.runs)
}

// nodes makes triggers of nodes on one shelf, whose clocks differ from the
// true time as skews say, and runs them until the test ends.
func nodes(t *testing.T, s *shelf, runner Runner, skews map[mesh.NodeID]time.Duration) map[mesh.NodeID]*Triggers {
	t.Helper()
	made := make(map[mesh.NodeID]*Triggers)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for id, skew := range skews {
		notes := NewNotes()
		s.notes = append(s.notes, notes)
		made[id] = New(Options{
			Self: id, Notes: notes, State: s, Local: shelved{s}, Placement: shelved{s}, Watches: shelved{s}, Scanner: shelved{s},
			Runner: runner, Now: func() time.Time { return time.Now().Add(skew) }, Log: slog.New(slog.DiscardHandler),
			MaxTriggers: 3,
		})
	}
	for _, n := range made {
		running.Go(func() { n.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	return made
}

func minutely(name string) *mesh.Trigger {
	return &mesh.Trigger{
		Namespace: "default", Name: name, Func: mesh.FuncRef{Namespace: "default", Name: "f"},
		Cause: mesh.Cause{Kind: mesh.OnCron, Cron: "* * * * *"},
	}
}

func TestNoSlotRunsTwiceByClocksThatDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(), &tally{runs: make(map[mesh.RunID]int)}
		n := nodes(t, s, r, map[mesh.NodeID]time.Duration{"ahead": 3 * time.Minute, "behind": -2 * time.Minute, "right": 0})
		s.turn("right")
		status, err := n["right"].Put(t.Context(), minutely("t"))
		if err != nil {
			t.Fatal(err)
		}
		const rounds = 10
		const handovers = 3 * rounds
		for range rounds {
			for _, owner := range []mesh.NodeID{"ahead", "behind", "right"} {
				s.turn(owner)
				<-time.After(70 * time.Second)
			}
		}
		status, err = n["behind"].Get(t.Context(), "default", "t")
		if err != nil {
			t.Fatal(err)
		}
		runs, ids := r.count()
		minutes := int(time.Since(status.Created) / time.Minute)
		// Who takes over in the very moment in which a run ends begins it again,
		// under its id: to the mesh that is the same run.
		if int(status.Fired) != ids || runs < ids || runs > ids+handovers {
			t.Errorf("%d runs have %d ids, and %d are told: expected each slot once", runs, ids, status.Fired)
		}
		if ids < minutes/3 || ids > minutes+3 {
			t.Errorf("%d slots of %d minutes ran", ids, minutes)
		}
	})
}

func TestOneOfTwoThatTakeThemselvesForTheKeeperFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(), &tally{runs: make(map[mesh.RunID]int), took: 5 * time.Second}
		n := nodes(t, s, r, map[mesh.NodeID]time.Duration{"a": 0, "b": 0})
		s.turn("a")
		if _, err := n["a"].Put(t.Context(), minutely("t")); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		for ctx.Err() == nil { // b keeps it as well, which is not for it to do
			k, err := n["b"].open(ctx, "default", "t")
			if err == nil {
				err = k.run(ctx)
			}
			if ctx.Err() == nil && mesh.KindOf(err) != mesh.Conflict {
				t.Errorf("b ended with %v: expected Conflict", err)
			}
			<-time.After(700 * time.Millisecond)
		}
		<-time.After(time.Minute)
		if _, ids := r.count(); ids < 10 || ids > 11 {
			t.Errorf("there are %d runs, as told by their ids: expected one a minute", ids)
		}
	})
}

func TestANamespaceHasSoManyTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(), &tally{runs: make(map[mesh.RunID]int)}
		n := nodes(t, s, r, map[mesh.NodeID]time.Duration{"a": 0})["a"]
		for _, name := range []string{"a", "b", "c"} {
			if _, err := n.Put(t.Context(), minutely(name)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.Put(t.Context(), minutely("d")); mesh.KindOf(err) != mesh.Overloaded {
			t.Errorf("one too many gave %v: expected Overloaded", err)
		}
		if _, err := n.Put(t.Context(), minutely("a")); err != nil {
			t.Errorf("to replace one gave %v", err)
		}
		list, more, err := n.List(t.Context(), "default", "", "a", 1)
		if err != nil || !more || len(list) != 1 || list[0].Name != "b" {
			t.Errorf("the page after a is %v, %v, %v", list, more, err)
		}
	})
}

func TestRunsOfATriggerAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShelf(), &tally{runs: make(map[mesh.RunID]int), took: 150 * time.Second}
		n := nodes(t, s, r, map[mesh.NodeID]time.Duration{"a": 0})["a"]
		s.turn("a")
		def := minutely("t")
		def.AtOnce = 2
		if _, err := n.Put(t.Context(), def); err != nil {
			t.Fatal(err)
		}
		<-time.After(20*time.Minute + 30*time.Second)
		if runs, ids := r.count(); runs != ids || ids < 14 || ids > 17 { // two for each 150 s
			t.Errorf("%d runs with %d ids", runs, ids)
		}
		status, err := n.Get(t.Context(), "default", "t")
		if err != nil || status.Waiting > 3 {
			t.Errorf("%d events wait, %v: expected two that run, and the last slot", status.Waiting, err)
		}
	})
}
