package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestOnlyLastingSilenceIsLoss(t *testing.T) {
	var s suspicion
	at := time.Now()
	for i, step := range []struct {
		after        time.Duration
		silent, lost bool
	}{
		{0, true, false}, {silentFor - 1, true, false}, {1, false, false}, // a sign of life begins it anew
		{0, true, false}, {silentFor - 1, true, false}, {1, true, true}, {time.Second, true, true}, {0, false, false}, {0, true, false},
	} {
		at = at.Add(step.after)
		if lost := s.lost(at, step.silent); lost != step.lost {
			t.Errorf("step %d: lost %v, want %v", i, lost, step.lost)
		}
	}
}

// A run knows of the death of a node before the view does.
func TestSilentNodesAreReplacedBeforeTheirDeathIsSeen(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run, "n2", "n3")
		q := callOf("f", "1")
		answers := make(chan string, 1)
		go func() {
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			answers <- one(t, reply, err)
		}()
		<-time.After(time.Second)
		victim := c.whoRuns()
		began := time.Now()
		c.kill(victim)
		for c.whoRuns() == "" {
			<-time.After(10 * time.Millisecond)
		}
		if took := time.Since(began); took > 800*time.Millisecond {
			t.Errorf("it took %v until the stage ran again", took)
		}
		close(g.open)
		if got := <-answers; got != "f(1)" || g.entered.Load() != 2 {
			t.Errorf("the answer is %s after %d invocations", got, g.entered.Load())
		}
		waitForDeaths()
	})
}

// whoRuns gives a node but n1 that has a share of a run.
func (c *cluster) whoRuns() mesh.NodeID {
	for _, id := range c.ids[1:] {
		if c.nodes[id].shareCount() > 0 {
			return id
		}
	}
	return ""
}

// A node that has forgotten a run, as it took the coordinator for dead, says so.
func TestForgottenStagesRunAgain(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run, "n2")
		c.define("last", term, "n1")
		c.declare("d", []string{"f", "last"}, "f:last")
		answers := make(chan string, 1)
		go func() {
			reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", map[string][]Arg{"f": argsOf("1")}))
			answers <- one(t, reply, err)
		}()
		synctest.Wait()
		c.nodes["n2"].PeerDown("n1")
		<-time.After(time.Second)
		close(g.open)
		if got := <-answers; got != "last(f(1))" || g.entered.Load() != 2 {
			t.Errorf("the answer is %s after %d invocations", got, g.entered.Load())
		}
	})
}

// A node that its coordinator hears, but that does not hear another node of
// the run, tells when it is asked.
func TestNodesThatDoNotHearEachOther(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		c.define("a", term, "n2")
		c.define("b", term, "n3", "n4")
		c.declare("d", []string{"a", "b"}, "a:b")
		var to mesh.NodeID
		c.sendErr = func(node mesh.NodeID, m wire.Message) error {
			if hop, ok := m.(*pb.Hop); ok && hop.Stage == 1 && to == "" {
				to = node // it gets lost
				return errDropped
			}
			return nil
		}
		answers := make(chan string, 1)
		go func() {
			reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
			answers <- one(t, reply, err)
		}()
		synctest.Wait()
		c.nodes["n2"].PeerDown(to)
		if got := <-answers; got != "b(a())" {
			t.Errorf("the answer is %s", got)
		}
	})
}

// errDropped has the network of a cluster lose a message without a word.
var errDropped = errors.New("dropped")

// Results that nobody had room to keep run again.
func TestResultsThatWereNotKeptRunAgain(t *testing.T) {
	simulateWith(t, Config{MaxBytes: 2000}, 3, 1, func(t *testing.T, c *cluster) {
		large := string(make([]byte, 1200))
		ran := 0
		c.define("a", func(context.Context, Invocation) (mesh.Value, error) { ran++; return text(large), nil }, "n1")
		g := &gate{open: make(chan struct{})}
		c.define("b", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			_, err := g.run(ctx, v)
			return text("done"), err
		}, "n2", "n3")
		c.declare("d", []string{"a", "b"}, "a:b")
		c.nodes["n1"].charge(1500)
		defer c.nodes["n1"].charge(-1500)
		answers := make(chan string, 1)
		go func() {
			reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
			answers <- one(t, reply, err)
		}()
		synctest.Wait()
		c.kill(c.whoRuns())
		<-time.After(time.Second)
		close(g.open)
		if got := <-answers; got != "done" || ran != 2 {
			t.Errorf("the answer is %s after %d invocations of the stage before", got, ran)
		}
		waitForDeaths()
	})
}

func TestMessagesThatMakeNoSense(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		r, id := c.nodes["n1"], mesh.NewRunID()
		reply, err := r.HandleSurveyRun("n2", &pb.SurveyRun{RunId: id[:]})
		if err != nil || len(reply.Stages) != 0 || reply.Forgotten != 0 {
			t.Errorf("the survey of an unknown run gave %v, %v", reply, err)
		}
		checked, err := r.HandleCheckRuns("n2", &pb.CheckRuns{RunIds: [][]byte{id[:]}})
		if err != nil || len(checked.Troubles) != 0 {
			t.Errorf("an unknown run has troubles: %v, %v", checked, err)
		}
		stranger := &pb.AmendRun{Run: specMessage()}
		_, noSurvey := r.HandleSurveyRun("n2", &pb.SurveyRun{})
		_, noCheck := r.HandleCheckRuns("n2", &pb.CheckRuns{RunIds: [][]byte{{1}}})
		late := specMessage()
		replan(late, func(stages []*pb.PlannedStage) []*pb.PlannedStage {
			stages[0].Attempt = 7
			return stages
		})
		for name, err := range map[string]error{
			"a survey without a run": noSurvey, "a check of no run": noCheck,
			"a plan from a stranger": r.HandleAmendRun("n2", stranger), "no plan": r.HandleAmendRun("n2", &pb.AmendRun{}),
			"an end of no run":           r.HandleEndRuns("n2", &pb.EndRuns{Runs: []*pb.EndRun{{}}}),
			"a stage of a later attempt": c.nodes["n2"].HandleAmendRun("n1", &pb.AmendRun{Run: late, LeftUs: 1e6}),
		} {
			if !errors.Is(err, mesh.Invalid) {
				t.Errorf("%s gave %v, want Invalid", name, err)
			}
		}
	})
}
