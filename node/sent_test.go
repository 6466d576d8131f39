package node

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/sched"
)

func TestWhatWasJustSentToANodeCountsAsItsLoad(t *testing.T) {
	var s sentWork
	f := mesh.FuncRef{Namespace: "default", Name: "f", Version: "v"}
	costs := map[mesh.FuncRef]sched.Cost{f: {Mean: 50 * time.Millisecond}}
	now := time.Unix(100, 0)
	as := func(at time.Time) sched.Node {
		n := sched.Node{ID: "n2", Load: 0.1, Places: 10, Funcs: map[mesh.FuncRef]sched.FuncAt{f: {Warm: 1, Busy: 1, Limit: 8}}}
		s.add(&n, []mesh.FuncRef{f}, costs, at)
		return n
	}
	for range 4 {
		s.note("n2", f, now)
	}
	if n := as(now.Add(time.Millisecond)); n.Load != 0.5 || n.Funcs[f].Busy != 5 || n.Funcs[f].Limit != 8 {
		t.Errorf("at once: %+v; expected four more of ten places", n)
	}
	if n := as(now.Add(100 * time.Millisecond)); n.Load < 0.29 || n.Load > 0.31 || n.Funcs[f].Busy != 3 {
		t.Errorf("after twice the time that one takes: %+v; expected half of them to be over", n)
	}
	s.told("n2")
	if n := as(now.Add(100 * time.Millisecond)); n.Load != 0.1 || s.any.Load() {
		t.Errorf("once it has told: %+v", n)
	}
	s.note("n2", f, now)
	if n := as(now.Add(time.Minute)); n.Load != 0.1 || s.any.Load() {
		t.Errorf("a minute later: %+v", n)
	}
}
