package run

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// specMessage gives a spec of a chain a -> b, coordinated by n1, with both stages at n2.
func specMessage() *pb.RunSpec {
	g, err := newGraph(dagOf([]string{"a", "b"}, []string{"a:b"}), nil)
	if err != nil {
		panic(err)
	}
	for i := range g.stages {
		g.stages[i].fn.Ref = fnRef("f")
	}
	s := &spec{graph: g, run: mesh.RunID{1}, attempt: 1, coordinator: "n1", places: []Placement{{Node: "n2"}, {Node: "n2"}}}
	return proto.CloneOf(s.message())
}

// replan changes the plan of a spec.
func replan(m *pb.RunSpec, change func(stages []*pb.PlannedStage) []*pb.PlannedStage) {
	var plan pb.Plan
	err := proto.Unmarshal(m.Plan, &plan)
	if err == nil {
		plan.Stages = change(plan.Stages)
		m.Plan, err = proto.Marshal(&plan)
	}
	if err != nil {
		panic(err)
	}
}

// stageOf changes one stage of a hop's plan.
func stageOf(i int, change func(*pb.PlannedStage)) func(*pb.Hop) {
	return func(m *pb.Hop) {
		replan(m.Run, func(stages []*pb.PlannedStage) []*pb.PlannedStage {
			change(stages[i])
			return stages
		})
	}
}

func TestHopsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		name string
		from mesh.NodeID
		hop  func(m *pb.Hop)
		text string
	}{
		{"no spec", "n1", func(m *pb.Hop) { m.Run = nil }, "run id"},
		{"empty plan", "n1", func(m *pb.Hop) { m.Run.Plan = []byte{0x78, 0} }, "0 stages"}, // a field that is not known
		{"no coordinator", "n1", func(m *pb.Hop) { m.Run.Coordinator = nil }, "coordinator of 0 bytes"},
		{"short id", "n1", func(m *pb.Hop) { m.Run.RunId = []byte{1} }, "expected 16"},
		{"parent of nowhere", "n1", stageOf(1, func(s *pb.PlannedStage) { s.Parents[0] = 1 << 31 }), "expected less than 2"},
		{"cycle", "n1", stageOf(0, func(s *pb.PlannedStage) { s.Parents = []uint32{1} }), "cycle"},
		{"no inputs", "n1", stageOf(0, func(s *pb.PlannedStage) { s.HasArgs = false }), "no input"},
		{"no plan but bytes", "n1", func(m *pb.Hop) { m.Run.Plan = []byte{0xff} }, "plan"},
		{"empty stage", "n1", stageOf(0, func(s *pb.PlannedStage) { proto.Reset(s) }), "namespace"},
		{"too many stages", "n1", func(m *pb.Hop) {
			replan(m.Run, func([]*pb.PlannedStage) []*pb.PlannedStage { return make([]*pb.PlannedStage, mesh.MaxStages+1) })
		}, "expected at most"},
		{"too many edges", "n1", stageOf(1, func(s *pb.PlannedStage) { s.Parents = make([]uint32, mesh.MaxEdges+1) }), "edges"},
		{"stage of nowhere", "n1", func(m *pb.Hop) { m.Stage = 1 << 31 }, "not in its plan"},
		{"input of nowhere", "n1", func(m *pb.Hop) { m.Input = 7 }, "not in its plan"},
		{"from a stranger", "n3", func(m *pb.Hop) {}, "not in its plan"},
		{"value of no format", "n1", func(m *pb.Hop) {
			m.Args = []*pb.Arg{{Arg: &pb.Arg_Value{Value: &pb.Value{Format: 99}}}}
		}, "format 99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, 3, 1, func(t *testing.T, cl *cluster) {
				cl.define("f", term)
				hop := &pb.Hop{Run: specMessage(), LeftUs: uint64(time.Minute / time.Microsecond)}
				c.hop(hop)
				err := cl.nodes["n2"].HandleHop(c.from, hop)
				if !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("HandleHop = %v, want Invalid with %q", err, c.text)
				}
				synctest.Wait()
				if cl.messages("Hop") != 0 {
					t.Error("a stage ran")
				}
			})
		})
	}
}

func TestMessagesOfUnknownRunsAreHarmless(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		r, id := c.nodes["n1"], mesh.NewRunID()
		for _, err := range []error{
			r.HandleSinkResult("n2", &pb.SinkResult{RunId: id[:]}),
			r.HandleEndRun("n2", &pb.EndRun{RunId: id[:], Attempt: 3}),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		for _, err := range []error{
			r.HandleSinkResult("n2", &pb.SinkResult{}),
			r.HandleEndRun("n2", &pb.EndRun{RunId: []byte("?")}),
		} {
			if !errors.Is(err, mesh.Invalid) {
				t.Errorf("a message without an id gave %v", err)
			}
		}
	})
}

// A hop that comes after its run ended, or a second time after its stage
// ran, starts nothing.
func TestLateHops(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		close(g.open)
		c.define("f", g.run)
		n2 := c.nodes["n2"]
		hop := &pb.Hop{Run: specMessage(), LeftUs: uint64(time.Minute / time.Microsecond)}
		for range 3 {
			if err := n2.HandleHop("n1", hop); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := g.entered.Load(); n != 2 {
			t.Errorf("two stages ran %d times", n)
		}
		hop.Run.Attempt = 5
		if err := n2.HandleEndRun("n1", &pb.EndRun{RunId: hop.Run.RunId, Attempt: 5}); err != nil {
			t.Fatal(err)
		}
		if err := n2.HandleHop("n1", hop); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := g.entered.Load(); n != 2 {
			t.Errorf("an attempt that was ended ran: %d invocations", n)
		}
	})
}

// A later attempt of a run cancels what runs of an earlier one.
func TestLaterAttemptEndsTheEarlier(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		started, ended := make(chan mesh.NodeID, 2), make(chan mesh.NodeID, 2)
		c.define("f", blocked(started, ended))
		for attempt := range uint32(2) {
			hop := &pb.Hop{Run: specMessage(), LeftUs: uint64(time.Hour / time.Microsecond)}
			hop.Run.Attempt = attempt + 1
			if err := c.nodes["n2"].HandleHop("n1", hop); err != nil {
				t.Fatal(err)
			}
			<-started
		}
		<-ended
		select {
		case <-ended:
			t.Error("both attempts ended")
		default:
		}
		if err := c.nodes["n2"].HandleEndRun("n1", &pb.EndRun{RunId: specMessage().RunId, Attempt: 2}); err != nil {
			t.Fatal(err)
		}
		<-ended
	})
}

// An executor forgets a run at its deadline, whatever its coordinator does.
func TestShareEndsAtTheDeadline(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		spec := specMessage()
		replan(spec, func(stages []*pb.PlannedStage) []*pb.PlannedStage {
			stages[0].HasArgs, stages[1].HasArgs = true, true
			return stages
		})
		hop := &pb.Hop{Run: spec, Stage: 1, LeftUs: 1e6, Args: []*pb.Arg{{Arg: &pb.Arg_Value{Value: wire.FromValue(text("waits"))}}}}
		if err := c.nodes["n2"].HandleHop("n1", hop); err != nil {
			t.Fatal(err)
		}
		if n2 := c.nodes["n2"]; n2.shareCount() != 1 || n2.held.Load() == 0 {
			t.Fatal("the hop is not held")
		}
		<-time.After(time.Second + 1)
		synctest.Wait()
		if n2 := c.nodes["n2"]; n2.shareCount() != 0 || n2.held.Load() != 0 {
			t.Error("the hop is held after its run's deadline")
		}
	})
}

func (r *Runs) shareCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shares)
}

// A result that cannot be sent fails its run; nobody waits for it.
func TestResultsThatCannotBeSent(t *testing.T) {
	for _, c := range []struct {
		name  string
		stuck string
	}{{"to the next stage", "Hop"}, {"to the coordinator", "SinkResult"}} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, 3, 1, func(t *testing.T, cl *cluster) {
				cl.define("a", term, "n2")
				cl.define("b", term, "n3")
				cl.declare("d", []string{"a", "b"}, "a:b")
				cl.sendErr = func(to mesh.NodeID, m wire.Message) error {
					sink, _ := m.(*pb.SinkResult)
					name := string(m.ProtoReflect().Descriptor().Name())
					if name == c.stuck && to != "n2" && (sink == nil || sink.Value != nil) {
						return mesh.Errorf(mesh.Invalid, "frame", "too large")
					}
					return nil
				}
				_, err := cl.nodes["n1"].Call(t.Context(), dagCall("d", nil))
				if !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "too large") {
					t.Errorf("Call = %v, want Invalid", err)
				}
			})
		})
	}
}

// A node that one executor cannot reach, though the coordinator can, is
// planned around.
func TestUnreachableNextNode(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		c.define("a", term, "n2")
		c.define("b", term, "n3", "n4")
		c.declare("d", []string{"a", "b"}, "a:b")
		c.sendErr = func(to mesh.NodeID, m wire.Message) error {
			if hop, ok := m.(*pb.Hop); ok && to == "n3" && hop.Stage == 1 {
				return mesh.Errorf(mesh.Unavailable, "send", "no route")
			}
			return nil
		}
		repaired := 0
		for range 8 {
			reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", nil))
			if got := one(t, reply, err); got != "b(a())" {
				t.Errorf("Call = %s", got)
			}
			record, err := c.nodes["n1"].Await(t.Context(), reply.ID, false)
			if err != nil {
				t.Fatal(err)
			}
			if record.Attempt > 1 {
				repaired++
				if record.Plan[0].Attempt != 1 || record.Plan[1].Attempt != 2 || record.Plan[1].Node != "n4" {
					t.Errorf("planned %+v: want b alone placed again", record.Plan)
				}
			}
		}
		if repaired == 0 {
			t.Error("no stage was placed again: the seed tries too little")
		}
	})
}

// A node that the coordinator cannot reach, though nobody saw it die, is
// planned around too; when no other can run the function, the error says so.
func TestUnreachableFirstNode(t *testing.T) {
	simulate(t, 4, 1, func(t *testing.T, c *cluster) {
		c.define("f", term, "n3", "n4")
		c.define("g", term, "n3")
		c.sendErr = func(to mesh.NodeID, m wire.Message) error {
			if to == "n3" {
				return mesh.Errorf(mesh.Unavailable, "send", "no route")
			}
			return nil
		}
		for range 8 {
			reply, err := c.nodes["n1"].Call(t.Context(), callOf("f", "1"))
			if got := one(t, reply, err); got != "f(1)" {
				t.Errorf("Call = %s", got)
			}
		}
		_, err := c.nodes["n1"].Call(t.Context(), callOf("g"))
		if !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "no live node hosts") {
			t.Errorf("Call = %v, want Unavailable", err)
		}
	})
}

func TestBoundOfRuns(t *testing.T) {
	simulateWith(t, Config{MaxRuns: 1}, 3, 1, func(t *testing.T, c *cluster) {
		g := &gate{open: make(chan struct{})}
		c.define("f", g.run, "n3")
		id := c.start(t, "n1", future(callOf("f")))
		synctest.Wait()
		for _, node := range []mesh.NodeID{"n1", "n2"} { // as coordinator; at the executor
			_, err := c.nodes[node].Call(t.Context(), callOf("f"))
			if !errors.Is(err, mesh.Overloaded) {
				t.Errorf("at %s: %v, want Overloaded", string(node), err)
			}
		}
		close(g.open)
		if r, err := c.nodes["n1"].Await(t.Context(), id, false); err != nil || r.State != mesh.Succeeded {
			t.Errorf("the run that was taken on: %+v, %v", r, err)
		}
		synctest.Wait()
		if _, err := c.nodes["n1"].Call(t.Context(), callOf("f")); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

func TestBoundOfBytes(t *testing.T) {
	large := strings.Repeat("x", 4000)
	for _, host := range []mesh.NodeID{"n1", "n2"} {
		simulateWith(t, Config{MaxBytes: 3000}, 2, 1, func(t *testing.T, c *cluster) {
			c.define("a", term)
			c.define("b", term, host)
			c.declare("d", []string{"a", "b"}, "a:b")
			_, err := c.nodes["n1"].Call(t.Context(), dagCall("d", map[string][]Arg{"b": argsOf(large)}))
			if !errors.Is(err, mesh.Overloaded) {
				t.Errorf("at %s: %v, want Overloaded", string(host), err)
			}
			reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", map[string][]Arg{"b": argsOf("x")}))
			if got := one(t, reply, err); got != "b(x a())" {
				t.Errorf("at %s, with room again: %s", string(host), got)
			}
		})
	}
}

func FuzzHandleHop(f *testing.F) {
	seed, err := proto.Marshal(&pb.Hop{Run: specMessage(), LeftUs: 1e6})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pb.Hop
		if proto.Unmarshal(raw, &m) != nil {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, 1, Config{})
			c.define("f", term)
			err := c.nodes["n2"].HandleHop("n1", &m)
			if err != nil && !errors.Is(err, mesh.Invalid) {
				t.Errorf("HandleHop = %v, want Invalid", err)
			}
			c.nodes["n2"].Close()
		})
	})
}

// A result that several stages of one node wait for travels there once.
func TestAResultGoesToEachNodeOnce(t *testing.T) {
	simulate(t, 3, 1, func(t *testing.T, c *cluster) {
		for name, node := range map[string]mesh.NodeID{"a": "n1", "b": "n2", "c": "n3", "d": "n2", "e": "n3", "f": "n1"} {
			c.define(name, term, node)
		}
		c.declare("d", []string{"a", "b", "c", "d", "e", "f"}, "a:b", "a:c", "a:d", "a:e", "b:f", "c:f", "d:f", "e:f", "a:f")
		reply, err := c.nodes["n1"].Call(t.Context(), dagCall("d", map[string][]Arg{"a": argsOf("1")}))
		if got := one(t, reply, err); got != "f(b(a(1)) c(a(1)) d(a(1)) e(a(1)) a(1))" || c.messages("Hop") != 2+4 {
			t.Errorf("the answer is %s, after %d hops: expected two there, and four back", got, c.messages("Hop"))
		}
	})
}
