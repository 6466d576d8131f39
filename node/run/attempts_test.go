package run

import (
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

const secondGeneration = mesh.GenerationAttempts + 1 // its first attempt

func TestWhoTakesARunOnBeginsAfterAllAttemptsBefore(t *testing.T) {
	const mostAttempts = mesh.MaxGenerations*mesh.GenerationAttempts - 1
	for _, c := range []struct{ known, first uint32 }{
		{1, takenOn + 1}, {3, takenOn + 1}, {mostAttempts, takenOn + 1},
		{takenOn + 1, 2*takenOn + 1}, {takenOn + mostAttempts, 2*takenOn + 1},
	} {
		if got := afterAll(c.known); got != c.first {
			t.Errorf("after attempt %d: %d, expected %d", c.known, got, c.first)
		}
		if generation, placed := mesh.SplitAttempt(c.first); generation != 0 || placed != 1 {
			t.Errorf("attempt %d is number %d of generation %d: expected the first of all", c.first, placed, generation)
		}
	}
	if MaxAttempts >= mesh.GenerationAttempts {
		t.Error("the attempts of a generation reach into the next one")
	}
}

// A node that has part of a run which began anew, of which it has heard, or has not.
func TestWhatIsOfAnEarlierGenerationChangesNothing(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		close(g.open)
		c.define("f", g.run)
		n2, anew, before := c.nodes["n2"], twoSources(), twoSources()
		before.RunId = anew.RunId
		anew.Attempt = secondGeneration
		give := func(hop *pb.Hop, stagesRan int32) {
			t.Helper()
			if err := n2.HandleHop("n1", hop); err != nil {
				t.Fatal(err)
			}
			if synctest.Wait(); g.entered.Load() != stagesRan {
				t.Errorf("%d stages ran, expected %d", g.entered.Load(), stagesRan)
			}
		}
		survey := func() (done int) {
			reply, err := n2.HandleSurveyRun("n1", &pb.SurveyRun{RunId: anew.RunId, Attempt: secondGeneration})
			if err != nil {
				t.Fatal(err)
			}
			return len(reply.Stages)
		}
		give(hopTo(0, 0, before), 1)
		if heard := survey(); heard != 0 {
			t.Errorf("the second generation heard of %d stages of the first", heard)
		}
		give(hopTo(1, 0, withoutPlan(anew)), 1) // waits for the plan
		if err := n2.HandleEndRun("n1", &pb.EndRun{RunId: anew.RunId, Attempt: before.Attempt}); err != nil {
			t.Fatal(err)
		}
		give(hopTo(1, 0, before), 1)
		give(hopTo(0, 0, anew), 3) // and takes the other along
	})
}
