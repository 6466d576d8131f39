package node_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// fired is what the functions of a mesh were run with by triggers.
type fired struct {
	mu   sync.Mutex
	runs []firedRun
}

type firedRun struct {
	id   mesh.RunID
	text string
	at   time.Time
}

func (f *fired) add(ctx context.Context, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = append(f.runs, firedRun{fn.ID(ctx).Run, text, time.Now()})
}

// texts are what ran, in order.
func (f *fired) texts() (texts []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, run := range f.runs {
		texts = append(texts, run.text)
	}
	return texts
}

// count is how many runs there were, as told apart by id.
func (f *fired) count() (runs, ids int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[mesh.RunID]bool{}
	for _, run := range f.runs {
		seen[run.id] = true
	}
	return len(f.runs), len(seen)
}

// note is a function for triggers on changes, note-args one for others.
func (f *fired) natives() []node.Option {
	return []node.Option{
		node.Handle("note", func(ctx context.Context, in fn.Args2[fn.Change[string], string]) (string, error) {
			text := in.B + " " + in.A.Key + "=" + in.A.Value
			if in.A.Deleted {
				text = in.B + " " + in.A.Key + " deleted"
			}
			f.add(ctx, text)
			return text, fn.Inc(ctx, "ran", 1)
		}),
		node.Handle("note-args", func(ctx context.Context, in fn.Variadic[string]) (string, error) {
			f.add(ctx, strings.Join(in, " "))
			return "", nil
		}),
	}
}

func (f *fired) provide(int) []node.Option { return f.natives() }

func createTrigger(t *testing.T, c *sdk.Client, tr mesh.Trigger, args ...any) mesh.TriggerStatus {
	t.Helper()
	status, err := c.CreateTrigger(within(t, time.Minute), tr, args...)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func onPrefix(name, prefix string) mesh.Trigger {
	return mesh.Trigger{Name: name, Cause: mesh.Cause{Kind: mesh.OnPrefix, Key: prefix}, Func: mesh.FuncRef{Name: "note"}}
}

// keeperOf is the number of the node that keeps a trigger.
func keeperOf(t *testing.T, m *simmesh.Mesh, through int, name string) int {
	t.Helper()
	keeper := -1
	until(t, time.Minute, "the trigger has a keeper that lives", func() bool {
		status, err := at(m, through).GetTrigger(within(t, time.Minute), name)
		keeper = slices.IndexFunc(m.Running(), func(i int) bool { return m.Node(i).ID() == status.Keeper })
		return err == nil && keeper >= 0
	})
	return m.Running()[keeper]
}

func (f *fired) wants(t *testing.T, want ...string) {
	t.Helper()
	until(t, time.Minute, fmt.Sprint("there are the runs ", want), func() bool { return len(f.texts()) >= len(want) })
	if got := f.texts(); !slices.Equal(got, want) {
		t.Errorf("the runs are %q: expected %q", got, want)
	}
}

func TestAChangeOfAKeyRunsAFunctionOnce(t *testing.T) {
	for _, nodes := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fired{}
				m := start(t, simulated(simmesh.Options{Nodes: nodes, Provide: f.provide}))
				put(t, m, 0, "user/0", "before")
				createTrigger(t, at(m, nodes-1), onPrefix("t", "user/"), "saw")
				put(t, m, 0, "user/1", "Ada")
				f.wants(t, "saw user/1=Ada")
				put(t, m, nodes/2, "other/1", "not watched")
				put(t, m, nodes/2, "user/1", "Lovelace")
				f.wants(t, "saw user/1=Ada", "saw user/1=Lovelace")
				if err := at(m, 0).Delete(within(t, time.Minute), "user/1"); err != nil {
					t.Fatal(err)
				}
				f.wants(t, "saw user/1=Ada", "saw user/1=Lovelace", "saw user/1 deleted")
				put(t, m, 0, "user/0", "after")
				f.wants(t, "saw user/1=Ada", "saw user/1=Lovelace", "saw user/1 deleted", "saw user/0=after")
				<-time.After(time.Minute)
				status, err := at(m, 0).GetTrigger(within(t, time.Minute), "t")
				if err != nil || status.Fired != 4 || status.Failed != 0 || status.Waiting != 0 || status.LastFired.IsZero() {
					t.Errorf("the trigger is %+v, %v: expected 4 fired", status, err)
				}
				wantsCount(t, m, 0, "ran", 4)
			})
		})
	}
}

func wantsCount(t *testing.T, m *simmesh.Mesh, through int, name string, want int64) {
	t.Helper()
	got, err := sdk.Counter(at(m, through), name).Value(within(t, time.Minute))
	wants(t, name, got, err, want)
}

func TestAKeepersEventsAreRunByTheNextOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 4, Provide: f.provide}))
		createTrigger(t, at(m, 0), onPrefix("t", "k/"), "saw")
		keeper := keeperOf(t, m, 0, "t")
		through := m.Running()[(keeper+1)%4]
		for n := range 20 {
			put(t, m, through, fmt.Sprint("k/", n), "v")
		}
		if err := m.Kill(keeper); err != nil { // in the middle of them
			t.Fatal(err)
		}
		for n := 20; n < 40; n++ {
			put(t, m, through, fmt.Sprint("k/", n), "v")
		}
		f.wantsEachOnce(t, 40, func(n int) string { return fmt.Sprintf("saw k/%d=v", n) })
		if next := keeperOf(t, m, through, "t"); next == keeper {
			t.Errorf("node %d, which does not run, is the keeper", keeper)
		}
		if err := m.Restart(within(t, time.Minute), keeper); err != nil {
			t.Fatal(err)
		}
		put(t, m, through, "k/40", "v")
		f.wantsEachOnce(t, 41, func(n int) string { return fmt.Sprintf("saw k/%d=v", n) })
		// What was running at the node that was killed counts twice at most.
		counted, err := sdk.Counter(at(m, through), "ran").Value(within(t, time.Minute))
		if runs, _ := f.count(); err != nil || counted < 41 || counted > int64(runs) || runs > 41+mesh.DefaultTriggerRuns {
			t.Errorf("the functions counted to %d, %v, in %d runs: expected 41, and one more for each run that was killed", counted, err, runs)
		}
	})
}

// wantsEachOnce wants one run, as told by its id, of each of n events. A run
// that was under way at a node that was killed may have run twice.
func (f *fired) wantsEachOnce(t *testing.T, n int, text func(int) string) {
	t.Helper()
	want := map[string]bool{}
	for i := range n {
		want[text(i)] = true
	}
	missing := func() (missing []string) {
		texts := f.texts()
		for text := range want {
			if !slices.Contains(texts, text) {
				missing = append(missing, text)
			}
		}
		return missing
	}
	for deadline := time.Now().Add(2 * time.Minute); len(missing()) > 0; <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d events were missed: %q", len(missing()), missing())
		}
	}
	<-time.After(time.Minute) // for what would come twice
	ids := map[mesh.RunID]string{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, run := range f.runs {
		if !want[run.text] {
			t.Errorf("%q ran: expected only what changed", run.text)
		}
		ids[run.id] = run.text
	}
	if len(ids) != n {
		t.Errorf("there were %d runs, as told by their ids: expected %d", len(ids), n)
		byText := map[string]int{}
		for _, text := range ids {
			if byText[text]++; byText[text] > 1 {
				t.Errorf("%q ran %d times", text, byText[text])
			}
		}
	}
}

func TestNoChangeIsMissedWhileNodesComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 5, Provide: f.provide}))
		for n := range 100 {
			put(t, m, n%5, fmt.Sprint("k/old", n), "not changed again")
		}
		createTrigger(t, at(m, 0), onPrefix("t", "k/"), "saw")
		client := dial(t, m)
		write := func(from, to int) {
			for n := from; n < to; n++ {
				until(t, time.Minute, "the key is written", func() bool {
					return sdk.Register[string](client, fmt.Sprintf("k/%d", n)).Put(within(t, 30*time.Second), "v") == nil
				})
			}
		}
		for round := range 5 {
			down := (keeperOf(t, m, m.Running()[0], "t") + round%2) % 5 // the keeper, or another
			write(100*round, 100*round+30)
			if err := m.Kill(down); err != nil {
				t.Fatal(err)
			}
			write(100*round+30, 100*round+70)
			if err := m.Restart(within(t, time.Minute), down); err != nil {
				t.Fatal(err)
			}
			write(100*round+70, 100*round+100)
			if err := m.Settle(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		f.wantsEachOnce(t, 500, func(n int) string { return fmt.Sprintf("saw k/%d=v", n) })
	})
}

func TestTriggersSurviveTheRestartOfAllNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: f.provide}))
		put(t, m, 0, "k/old", "not changed again")
		put(t, m, 0, "k/gone", "deleted later")
		createTrigger(t, at(m, 0), onPrefix("t", "k/"), "saw")
		put(t, m, 0, "k/1", "one")
		f.wants(t, "saw k/1=one")
		<-time.After(time.Second) // so that it is noted: the record of the run will be gone
		keeper := keeperOf(t, m, 0, "t")
		if err := m.Kill(keeper); err != nil {
			t.Fatal(err)
		}
		others := m.Running()
		put(t, m, others[0], "k/2", "two, while the keeper was away")
		if err := at(m, others[0]).Delete(within(t, time.Minute), "k/gone"); err != nil {
			t.Fatal(err)
		}
		for _, i := range others {
			if err := m.Kill(i); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Hour) // no record of a run is kept that long
		for i := range 3 {
			if err := m.Restart(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		until(t, time.Minute, "what happened before and after has run", func() bool { return len(f.texts()) >= 3 })
		<-time.After(time.Minute)
		got := f.texts()
		slices.Sort(got)
		want := []string{"saw k/1=one", "saw k/2=two, while the keeper was away", "saw k/gone deleted"}
		if !slices.Equal(got, want) {
			t.Errorf("the runs are %q: expected %q", got, want)
		}
	})
}
