package run

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// world drives the two state machines of a run by hand: a tracker at node
// n1, an execution on every node, and the messages between them, each of
// which is delivered when, and as often as, a test says.
type world struct {
	out     strings.Builder // what happened, one line each
	graph   *graph
	args    [][]Arg
	tracker tracker
	nodes   map[mesh.NodeID]*worldNode
	mail    []letter // all that was ever sent, by number
	value   func(stage string, args []string) string
}

type worldNode struct {
	exec    *execution
	ended   uint32
	running map[int][]Arg // stages that were invoked
	dead    bool
}

// letter is a message between the machines.
type letter struct {
	from, to mesh.NodeID
	spec     *spec
	port     port // of a hop
	args     []Arg
	sink     bool // a result for the coordinator, of port.stage
	end      bool // forget the attempt
	value    mesh.Value
	reports  []report
}

const leader = mesh.NodeID("n1")

func newWorld(dag *mesh.DAG, args map[string][]Arg, attempts int) (*world, error) {
	g, err := newGraph(dag, args)
	if err != nil {
		return nil, err
	}
	w := &world{graph: g, tracker: tracker{bound: attempts}, nodes: map[mesh.NodeID]*worldNode{}, value: spelled}
	for i := range g.stages {
		w.args = append(w.args, args[g.stages[i].name])
	}
	return w, nil
}

// spelled gives the result of a stage as the term that it computes.
func spelled(stage string, args []string) string {
	return stage + "(" + strings.Join(args, " ") + ")"
}

func text(s string) mesh.Value { return mesh.Value{Format: mesh.Text, Data: []byte(s)} }

func (w *world) logf(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *world) node(id mesh.NodeID) *worldNode {
	if w.nodes[id] == nil {
		w.nodes[id] = &worldNode{}
	}
	return w.nodes[id]
}

// start begins an attempt with a stage on each node of places.
func (w *world) start(places []mesh.NodeID) {
	s := &spec{graph: w.graph, attempt: uint32(w.tracker.tried) + 1, coordinator: leader}
	for _, node := range places {
		s.places = append(s.places, Placement{Node: node})
	}
	w.do(w.tracker.begin(s))
	if w.tracker.phase != running || w.tracker.spec != s {
		return
	}
	w.join(leader, s)
	for i := range s.stages {
		if s.stages[i].hasArgs {
			w.post(letter{from: leader, to: s.places[i].Node, spec: s, port: port{i, 0}, args: w.args[i]})
		}
	}
}

func (w *world) join(id mesh.NodeID, s *spec) *worldNode {
	n := w.node(id)
	if s.attempt <= n.ended || n.exec != nil && n.exec.spec.attempt > s.attempt {
		return nil
	}
	if n.exec == nil || n.exec.spec.attempt < s.attempt {
		exec := newExecution(id, s)
		n.exec, n.running = &exec, map[int][]Arg{}
	}
	return n
}

// post sends a letter, or, on the same node, delivers it at once.
func (w *world) post(l letter) {
	if l.from == l.to {
		w.receive(l)
		return
	}
	w.mail = append(w.mail, l)
	w.logf("%d: %s -> %s %s", len(w.mail), string(l.from), string(l.to), l.describe())
}

func (l *letter) describe() string {
	name := func() string { return l.spec.stages[l.port.stage].name }
	switch {
	case l.end:
		return fmt.Sprintf("end attempt %d", l.spec.attempt)
	case l.sink:
		return fmt.Sprintf("result of %s %s%s", name(), l.value.Data, reported(l))
	}
	return fmt.Sprintf("hop to %s input %d %v%s", name(), l.port.input, texts(l.args), reported(l))
}

func reported(l *letter) string {
	if len(l.reports) == 0 {
		return ""
	}
	var names []string
	for _, r := range l.reports {
		names = append(names, l.spec.stages[r.stage].name)
	}
	return " reports " + strings.Join(names, ",")
}

func texts(args []Arg) []string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = string(a.Value.Data)
	}
	return list
}

func (w *world) receive(l letter) {
	switch {
	case w.node(l.to).dead:
	case l.sink:
		w.do(w.tracker.sinkResult(l.spec.attempt, l.port.stage, l.value, l.reports))
	case l.end:
		n := w.node(l.to)
		if n.ended = max(n.ended, l.spec.attempt); n.exec != nil && n.exec.spec.attempt <= n.ended {
			n.exec, n.running = nil, nil
		}
	default:
		if n := w.join(l.to, l.spec); n != nil {
			fresh, ready := n.exec.arrive(l.port, l.args)
			if fresh {
				n.exec.unsent = append(n.exec.unsent, l.reports...)
			}
			if ready {
				w.invoke(l.to, l.port.stage)
			}
		}
	}
}

func (w *world) invoke(id mesh.NodeID, stage int) {
	n := w.nodes[id]
	n.running[stage] = n.exec.start(stage)
	w.logf("%s: invoke %s %v", string(id), w.graph.stages[stage].name, texts(n.running[stage]))
}

// finish ends an invocation with its value.
func (w *world) finish(id mesh.NodeID, stage int) {
	n := w.nodes[id]
	v := text(w.value(w.graph.stages[stage].name, texts(n.running[stage])))
	delete(n.running, stage)
	e := n.exec
	out := e.finish(stage, v, report{stage: stage})
	for _, ready := range out.invoke {
		w.invoke(id, ready)
	}
	for _, d := range out.send {
		w.post(letter{from: id, to: d.node, spec: e.spec, port: d.port, args: []Arg{{Value: v}}, reports: e.takeReports()})
	}
	if out.sink {
		w.post(letter{from: id, to: leader, spec: e.spec, port: port{stage: stage}, sink: true, value: v, reports: e.takeReports()})
	}
}

// fail ends an invocation with an error that reaches the coordinator at once.
func (w *world) fail(id mesh.NodeID, stage int, msg string) {
	n := w.nodes[id]
	delete(n.running, stage)
	n.exec.close(stage)
	w.do(w.tracker.stageFailed(n.exec.spec.attempt, stage, mesh.Errorf(mesh.UserError, "", "%s", msg)))
}

// kill ends a node. What it has sent is still under way; what is under way to it is lost.
func (w *world) kill(id mesh.NodeID) {
	n := w.node(id)
	n.dead, n.exec, n.running = true, nil, nil
	w.do(w.tracker.nodeDown(id))
}

func (w *world) do(e effect) {
	if e.end != nil {
		for _, node := range e.end.nodes() {
			w.post(letter{from: leader, to: node, spec: e.end, end: true})
		}
	}
	if e.replan {
		w.logf("plan again without %v", w.tracker.lostNames())
	}
	if !e.answer {
		return
	}
	if w.tracker.err != nil {
		w.logf("answer %v", w.tracker.err)
		return
	}
	for _, r := range w.tracker.answers() {
		w.logf("answer %s = %s", r.Stage, r.Value.Data)
	}
}

func (t *tracker) lostNames() (names []string) {
	for _, node := range t.lost {
		names = append(names, string(node))
	}
	return names
}

// play delivers letters in any order, some twice, and finishes invocations
// in any order, until nothing is left to do. Step is called in between.
func (w *world) play(r *rand.Rand, step func()) {
	delivered := 0
	pending := make([]int, 0, len(w.mail))
	for {
		for ; delivered < len(w.mail); delivered++ {
			pending = append(pending, delivered)
			if r.IntN(4) == 0 {
				pending = append(pending, delivered)
			}
		}
		running := w.running()
		if len(pending)+len(running) == 0 {
			return
		}
		if at := r.IntN(len(pending) + len(running)); at < len(pending) {
			l := w.mail[pending[at]]
			pending = slices.Delete(pending, at, at+1)
			w.receive(l)
		} else {
			w.finish(running[at-len(pending)].node, running[at-len(pending)].stage)
		}
		step()
	}
}

type invoked struct {
	node  mesh.NodeID
	stage int
}

// running lists what runs, in a fixed order.
func (w *world) running() (list []invoked) {
	for id, n := range w.nodes {
		for stage := range n.running {
			list = append(list, invoked{id, stage})
		}
	}
	slices.SortFunc(list, func(a, b invoked) int {
		if a.node != b.node {
			return strings.Compare(string(a.node), string(b.node))
		}
		return a.stage - b.stage
	})
	return list
}
