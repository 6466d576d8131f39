package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// world drives the state machines of a run by hand: a tracker at node n1, an
// execution on every node, and the messages between them, each of which is
// delivered when, and as often as, a test says.
type world struct {
	out     strings.Builder // what happened, one line each
	graph   *graph
	args    [][]Arg
	tracker tracker
	nodes   map[mesh.NodeID]*worldNode
	mail    []letter // all that was ever sent, by number
	survey  *loss    // the last
	doubted map[mesh.NodeID]bool
	runs    int // invocations so far
	value   func(s *stage, generation uint32, args []string) (string, error)
	full    func() bool // whether a node keeps no more results than it must; nil: never
}

type worldNode struct {
	exec    *execution
	ended   uint32
	running map[task]invocation
	dead    bool
}

type invocation struct {
	args []Arg
	spec *spec
}

const leader = mesh.NodeID("n1")

func newWorld(dag *mesh.DAG, args map[string][]Arg, attempts int) (*world, error) {
	g, err := newGraph(dag, args)
	if err != nil {
		return nil, err
	}
	w := &world{graph: g, tracker: tracker{bound: attempts}, nodes: map[mesh.NodeID]*worldNode{}, doubted: map[mesh.NodeID]bool{}}
	w.value = func(s *stage, _ uint32, args []string) (string, error) { return spelled(s.name, args), nil }
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

// start begins the run with a stage on each node of places.
func (w *world) start(places []mesh.NodeID) {
	s := &spec{graph: w.graph, attempt: w.tracker.number() + 1, coordinator: leader, places: placesOf(places)}
	w.do(w.tracker.begin(s))
	if w.tracker.phase != running || w.tracker.spec != s {
		return
	}
	w.join(leader, s)
	for i := range s.stages {
		if s.stages[i].hasArgs {
			w.supply(s, i)
		}
	}
}

func placesOf(nodes []mesh.NodeID) (places []Placement) {
	for _, node := range nodes {
		places = append(places, Placement{Node: node})
	}
	return places
}

func (w *world) supply(s *spec, stage int) {
	w.post(letter{from: leader, to: s.places[stage].Node, spec: s, port: port{stage, 0}, in: input{args: w.args[stage]}})
}

// look asks the nodes that live how their stages stand.
func (w *world) look() {
	w.tracker.hurt = false
	t := &w.tracker
	l := &loss{spec: t.spec, lost: slices.Clone(t.lost), standing: map[int]standing{}, reported: t.ended(), forgot: map[mesh.NodeID]uint32{}, doubted: w.doubted}
	for _, id := range t.spec.nodes() {
		n := w.node(id)
		switch {
		case n.dead:
		case n.ended > 0 && (n.exec == nil || isBefore(n.exec.spec.attempt, t.spec.attempt)):
			l.forgot[id] = n.ended
		case n.exec != nil && !isBefore(n.exec.spec.attempt, t.spec.attempt):
			n.exec.lose(l.lost)
			for stage, st := range n.exec.stand() {
				l.standing[stage] = st
			}
			t.learn(joinedReports(append(n.exec.told, n.exec.unsent)).all(len(n.exec.spec.stages)))
		}
	}
	w.survey = l
}

// names lists stages by name.
func (w *world) names(stages []int) (names []string) {
	for _, i := range stages {
		names = append(names, w.graph.stages[i].name)
	}
	return names
}

// amend has the stages that the last survey found lacking run on other nodes.
func (w *world) amend(places []mesh.NodeID) {
	anew := w.survey.again()
	next := w.tracker.spec
	if len(anew) > 0 {
		next = next.amended(anew, placesOf(places))
		w.do(w.tracker.amend(next))
		if w.tracker.phase != running {
			return
		}
	}
	w.join(leader, next)
	for _, id := range next.nodes() {
		if id != leader && !w.survey.isLost(id) {
			w.post(letter{kind: amendLetter, from: leader, to: id, spec: next, reported: w.survey.reported})
		}
	}
	for _, stage := range anew {
		if next.stages[stage].hasArgs {
			w.supply(next, stage)
		}
	}
}

// join finds a node's execution, which goes on under s if that is later.
func (w *world) join(id mesh.NodeID, s *spec) *worldNode {
	n := w.node(id)
	switch {
	case n.exec != nil && n.exec.spec.attempt >= s.attempt:
	case n.exec != nil && s.follows(n.exec.spec):
		w.pass(id, n.exec.amend(s))
		if n.exec != nil && n.exec.gone > 0 {
			w.do(w.tracker.injured())
		}
	case s.attempt <= n.ended:
		return nil
	default:
		exec := newExecution(id, s)
		exec.keeps = s.stagesOn(leader) < len(s.stages)
		exec.forgot(n.ended)
		n.exec, n.running = &exec, map[task]invocation{}
	}
	return n
}

// begin starts a task.
func (w *world) begin(id mesh.NodeID, t task) {
	n := w.nodes[id]
	if n.exec == nil {
		return
	}
	b := n.exec.start(t)
	switch b.verdict {
	case invoke:
		w.runs++
		n.running[t] = invocation{b.args, b.spec}
		w.logf("%s: invoke %s %v", string(id), w.taskName(t), texts(b.args))
	case skip:
		w.logf("%s: skip %s", string(id), w.taskName(t))
		w.end(id, t, b.spec, ending{skipped: true})
	case refute:
		w.failed(id, t.stage, b.spec, b.err)
	}
}

// taskName is the name of a stage, or "stage<parent" of an any-of stage.
func (w *world) taskName(t task) string {
	s := &w.graph.stages[t.stage]
	if t.parent == 0 {
		return s.name
	}
	return s.name + "<" + w.graph.stages[s.parents[t.parent-1]].name
}

// finish ends an invocation with the value that it computes.
func (w *world) finish(id mesh.NodeID, t task) {
	running := w.nodes[id].running[t]
	generation, _ := mesh.SplitAttempt(running.spec.attempt)
	v, err := w.value(&w.graph.stages[t.stage], generation, texts(running.args))
	w.finishWith(id, t, text(v), err)
}

// finishWith ends an invocation with a value or an error.
func (w *world) finishWith(id mesh.NodeID, t task, v mesh.Value, err error) {
	n := w.nodes[id]
	under := n.running[t].spec
	delete(n.running, t)
	st := &w.graph.stages[t.stage]
	if t.parent > 0 && (err != nil || st.rejects(v)) {
		if err = n.exec.reject(t, under, err); err == nil {
			return
		}
	}
	end := ending{value: v}
	if err == nil && st.branches {
		end.taken, err = under.judge(t.stage, v)
	}
	if err != nil {
		w.failed(id, t.stage, under, err)
		return
	}
	w.end(id, t, under, end)
}

// end passes on how a task ended.
func (w *world) end(id mesh.NodeID, t task, under *spec, end ending) {
	e := w.nodes[id].exec
	e.full = w.full != nil && w.full()
	out := e.finish(t, under, end)
	if e.stages[t.stage].done {
		for other := range w.nodes[id].running {
			if other.stage == t.stage { // those that are given up
				delete(w.nodes[id].running, other)
			}
		}
	}
	w.pass(id, out)
	if out.sink {
		w.post(letter{
			kind: resultLetter, from: id, to: leader, spec: e.spec, port: port{stage: t.stage},
			ending: end, reports: e.takeReports(),
		})
	}
	w.dropIfDone(id)
}

// dropIfDone has a node forget a run of which it has ended, and keeps, nothing.
func (w *world) dropIfDone(id mesh.NodeID) {
	n := w.nodes[id]
	if e := n.exec; e != nil && id != leader && e.left == 0 && !e.spec.keeps(id) {
		n.ended, n.exec, n.running = e.spec.attempt, nil, nil
	}
}

func (w *world) pass(id mesh.NodeID, out outputs) {
	e := w.nodes[id].exec
	for _, ready := range out.invoke {
		w.begin(id, ready)
	}
	if w.nodes[id].exec != e { // the run ended by that
		return
	}
	for _, d := range out.send {
		l := letter{from: id, to: d.node, spec: e.spec, port: d.port, in: input{absent: d.absent, moved: true}, reports: e.takeReports()}
		if !d.absent {
			l.in.args = []Arg{{Value: d.value}}
		}
		w.post(l)
	}
}

func (w *world) failed(id mesh.NodeID, stage int, under *spec, err error) {
	w.nodes[id].exec.close(stage, under)
	defer w.dropIfDone(id)
	w.post(letter{kind: resultLetter, from: id, to: leader, spec: under, port: port{stage: stage}, err: err})
}

// kill ends a node. What it has sent is still under way; what is under way to it is lost.
func (w *world) kill(id mesh.NodeID) {
	n := w.node(id)
	n.dead, n.exec, n.running = true, nil, nil
	w.do(w.tracker.nodeDown(id))
}

// drop has a node forget the run, as when it believes the coordinator dead.
func (w *world) drop(id mesh.NodeID) {
	n := w.node(id)
	if n.exec == nil || id == leader {
		return
	}
	n.ended = n.exec.spec.attempt
	n.exec, n.running = nil, nil
	w.logf("%s: forget", string(id))
	if w.doubted[id] = true; w.tracker.awaits(id, n.ended) {
		w.do(w.tracker.injured())
	}
}

func (w *world) do(e effect) {
	switch {
	case e.commit:
		w.logf("commit")
	case e.replan && e.end != nil:
		w.logf("begin anew without %v", w.tracker.lostNames())
		w.survey, w.doubted = nil, map[mesh.NodeID]bool{}
		w.finishAttempt(e)
	case e.replan && w.tracker.phase == planning:
		w.logf("plan again without %v", w.tracker.lostNames())
	case e.replan:
		w.logf("lost %v", w.tracker.lostNames())
	}
	if !e.answer {
		return
	}
	if w.tracker.err != nil {
		w.logf("answer %v", w.tracker.err)
	} else {
		for _, r := range w.tracker.answers() {
			w.logf("answer %s = %s", r.Stage, r.Value.Data)
		}
	}
	w.finishAttempt(e)
}

// finishAttempt has all nodes forget the attempts so far.
func (w *world) finishAttempt(e effect) {
	nodes := w.tracker.keepers()
	if e.end != nil {
		nodes = w.tracker.members()
	}
	for _, node := range nodes {
		w.post(letter{kind: endLetter, from: leader, to: node, spec: w.tracker.spec})
	}
	n := w.node(leader)
	n.exec, n.running, n.ended = nil, nil, w.tracker.spec.attempt
}

func (t *tracker) lostNames() (names []string) {
	for _, node := range t.lost {
		names = append(names, string(node))
	}
	return names
}
