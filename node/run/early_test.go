package run

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// hopTo gives a hop of n1's run to a stage of n2.
func hopTo(stage, input uint32, run *pb.RunSpec) *pb.Hop {
	return &pb.Hop{Run: run, Stage: stage, Input: input, LeftUs: uint64(time.Minute / time.Microsecond)}
}

func withoutPlan(m *pb.RunSpec) *pb.RunSpec {
	m = proto.CloneOf(m)
	m.Plan = nil
	return m
}

// refusals gathers the errors that a node is told of its runs.
func (c *cluster) refusals(of mesh.NodeID) *[]error {
	var errs []error
	c.sendErr = func(to mesh.NodeID, m wire.Message) error {
		if result, ok := m.(*pb.SinkResult); ok && to == of && result.Error != nil {
			errs = append(errs, wire.ToError(result.Error))
		}
		return nil
	}
	return &errs
}

func TestAHopWaitsForThePlan(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		close(g.open)
		c.define("f", g.run)
		n2, run := c.nodes["n2"], twoSources()
		for _, hop := range []*pb.Hop{hopTo(0, 0, withoutPlan(run)), hopTo(1, 0, run)} {
			if err := n2.HandleHop("n1", hop); err != nil {
				t.Fatal(err)
			}
			if synctest.Wait(); hop.Stage == 0 && g.entered.Load() != 0 {
				t.Error("a stage ran before the plan had come")
			}
		}
		if got := g.entered.Load(); got != 2 {
			t.Errorf("%d stages ran, expected 2", got)
		}
	})
}

// twoSources is a spec of stages a and b without edges, both at n2.
func twoSources() *pb.RunSpec {
	g, err := newGraph(dagOf([]string{"a", "b"}, nil), nil)
	if err != nil {
		panic(err)
	}
	for i := range g.stages {
		g.stages[i].fn.Ref = fnRef("f")
	}
	s := &spec{graph: g, run: mesh.RunID{1}, attempt: 1, coordinator: "n1", places: []Placement{{Node: "n2"}, {Node: "n2"}}}
	return s.message()
}

func TestARunWhosePlanDoesNotComeFails(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		refused := c.refusals("n1")
		if err := c.nodes["n2"].HandleHop("n1", hopTo(0, 0, withoutPlan(specMessage()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(earlyFor + time.Second)
		synctest.Wait()
		if len(*refused) != 1 || !errors.Is((*refused)[0], mesh.Unavailable) {
			t.Errorf("the coordinator was told %v", *refused)
		}
	})
}

func TestHopsDoNotWaitForAPlanThatIsOver(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		n2, run := c.nodes["n2"], withoutPlan(specMessage())
		refused := c.refusals("n1")
		for range 2 {
			if err := n2.HandleHop("n1", hopTo(0, 0, run)); err != nil {
				t.Fatal(err)
			}
			if err := n2.HandleEndRun("n1", &pb.EndRun{RunId: run.RunId, Attempt: 1}); err != nil {
				t.Fatal(err)
			}
			if n2.early.held != 0 || n2.held.Load() != 0 {
				t.Errorf("%d hops wait, of %d bytes", n2.early.held, n2.held.Load())
			}
		}
		time.Sleep(earlyFor + time.Second)
		if len(*refused) != 0 {
			t.Errorf("the coordinator was told %v", *refused)
		}
	})
}

func TestSoManyHopsMayWaitForPlans(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		refused := c.refusals("n1")
		for range earlyHops + 1 {
			id := mesh.NewRunID()
			run := &pb.RunSpec{RunId: id[:], Attempt: 1, Coordinator: []byte("n1")}
			if err := c.nodes["n2"].HandleHop("n1", hopTo(0, 0, run)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(*refused) != 1 || !errors.Is((*refused)[0], mesh.Overloaded) {
			t.Errorf("the coordinator was told %v", *refused)
		}
	})
}

// A plan travels once from one node to another, and not back.
func TestThePlanTravelsOnce(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		for _, name := range []string{"a", "c", "e"} {
			c.define(name, term, "n2")
		}
		for _, name := range []string{"b", "d"} {
			c.define(name, term, "n3")
		}
		c.declare("d", []string{"a", "b", "c", "d", "e"}, "a:b", "b:c", "c:d", "d:e")
		plans := 0
		c.sendErr = func(_ mesh.NodeID, m wire.Message) error {
			if hop, ok := m.(*pb.Hop); ok && len(hop.Run.Plan) > 0 {
				plans++
			}
			return nil
		}
		reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", map[string][]Arg{"a": argsOf("1")}))
		if got := one(t, reply, err); got != "e(d(c(b(a(1)))))" || plans != 2 || c.messages("Hop") != 5 {
			t.Errorf("the answer is %s; of %d hops %d had the plan, expected 2", got, c.messages("Hop"), plans)
		}
	})
}
