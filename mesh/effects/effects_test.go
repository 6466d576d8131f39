package effects

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var counter = mesh.Key{Namespace: "n", Name: "k"}

func inc(l *Ledger, key mesh.Key, n int64) string {
	id, _ := l.Write(key, lattice.PNCounterKind, lattice.IncOp(n))
	return id
}

func TestTheSameEffectsHaveTheSameIDsInEachExecution(t *testing.T) {
	work := Work{ID: mesh.NewRunID()}.Part("stage")
	execute := func(w Work) (ids []string) {
		l := NewLedger(w)
		ids = append(ids, inc(l, counter, 1), inc(l, counter, 1), inc(l, counter, 2))
		args := []mesh.Value{{Format: mesh.Text, Data: []byte("x")}}
		call, start := l.Call(mesh.FuncRef{Name: "f"}, args), l.Start(mesh.FuncRef{Name: "f"}, args)
		return append(ids, string(call.ID[:]), string(start.ID[:]))
	}
	first := execute(work)
	if again := execute(work.Again(time.Now())); !slices.Equal(first, again) {
		t.Errorf("two executions have the ids %x and %x", first, again)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(first))); len(distinct) != len(first) {
		t.Errorf("%d effects have %d ids", len(first), len(distinct))
	}
	for _, other := range []Work{{ID: mesh.NewRunID()}, work.Part("0"), work.Part("1")} {
		if ids := execute(other); slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(first, id) }) {
			t.Errorf("another work has an id of the first")
		}
	}
}

func TestTheOrderOfEffectsDoesNotMatter(t *testing.T) {
	work := Work{ID: mesh.NewRunID()}
	execute := func() []string {
		l := NewLedger(work)
		ids := make([]string, 100)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() { ids[i] = inc(l, counter, int64(i/2)) })
		}
		all.Wait()
		return slices.Sorted(slices.Values(ids))
	}
	if a, b := execute(), execute(); !slices.Equal(a, b) {
		t.Error("two executions whose goroutines write have different ids")
	}
}

func TestWhatMayBeWrittenTwiceHasNoID(t *testing.T) {
	l := NewLedger(Work{ID: mesh.NewRunID()})
	if id, _ := l.Write(counter, lattice.LWWKind, lattice.SetOp([]byte("x"))); id != "" {
		t.Errorf("a register's write has the id %x", id)
	}
	var none *Ledger
	if id, age := none.Write(counter, lattice.PNCounterKind, lattice.IncOp(1)); id != "" || age != 0 || none.Call(mesh.FuncRef{}, nil).Named() {
		t.Errorf("an execution without ids gave %x", id)
	}
}

func TestOnlyTheFirstExecutionHasNoAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		work := Work{ID: mesh.NewRunID()}
		if age := work.Age(); age != 0 {
			t.Errorf("the first execution has the age %v", age)
		}
		again := work.Again(began).Part("x")
		if age := again.Age(); age != time.Millisecond {
			t.Errorf("one repeated at once has the age %v", age)
		}
		time.Sleep(3 * time.Second)
		if age := again.Again(time.Now()).Age(); age != 3*time.Second {
			t.Errorf("after 3s the age is %v", age)
		}
		if age := Aged(work.ID, time.Minute).Age(); age != time.Minute {
			t.Errorf("a work aged a minute has the age %v", age)
		}
	})
}

func TestBeyondTheBoundEffectsStillDiffer(t *testing.T) {
	l := NewLedger(Work{ID: mesh.NewRunID()})
	ids := map[string]bool{}
	const n = MaxRemembered + 10
	for i := range n {
		ids[inc(l, counter, int64(i))] = true
		if i >= MaxRemembered {
			ids[inc(l, counter, int64(i))] = true
		}
	}
	if len(ids) != n+10 || len(l.seen) != MaxRemembered {
		t.Errorf("%d ids, %d remembered", len(ids), len(l.seen))
	}
}
