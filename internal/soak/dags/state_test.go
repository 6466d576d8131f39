package dags

import (
	"errors"
	"testing"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
)

// Of a call of which several runs did something, it is not known which one it
// had its answer of; of one that was never answered nothing is known.
func TestACallTellsHowItsOnlyRunEnded(t *testing.T) {
	s := &state{}
	runs := []mesh.RunID{mesh.NewRunID(), mesh.NewRunID(), mesh.NewRunID(), mesh.NewRunID()}
	for i, call := range []int{0, 1, 1, 2} {
		by := execution{id: mesh.InvocationID{Run: runs[i], Stage: "s0"}, call: call}
		for range 2 {
			s.note(by, by.event("k0", s.tick()))
		}
	}
	s.note(execution{}, check.Event{Session: "writer", Key: "k0"})
	s.ended(0, mesh.Conflict)
	s.ended(1, nil)
	ends := s.outcomes()
	if end, known := ends[runs[0].String()]; !known || !errors.Is(end.Err, mesh.Conflict) || end.At == 0 {
		t.Errorf("the only run of its call ended with %+v, known %v", end, known)
	}
	for _, run := range runs[1:] {
		if end, known := ends[run.String()]; !known || end.Err != errUnknown {
			t.Errorf("it is known how a run ended: %+v, %v", end, known)
		}
	}
}

func TestTransactionsHaveSchedulesLikeTheOtherLevels(t *testing.T) {
	s := GenerateAt(1, mesh.Transactional)
	if len(s.Calls) != callsInAll+quickCalls/4 || len(s.Skew) != s.Nodes {
		t.Errorf("%d calls, %d clocks of %d nodes", len(s.Calls), len(s.Skew), s.Nodes)
	}
	for _, c := range s.Calls {
		if c.Reads && (c.Named || !c.job.reads()) {
			t.Errorf("call %+v reads", c)
		}
	}
}
