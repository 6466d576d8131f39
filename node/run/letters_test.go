package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// letter is a message between the machines.
type letter struct {
	kind     letterKind
	from, to mesh.NodeID
	spec     *spec
	port     port // of a hop; of a result, the stage alone
	in       input
	ending   ending
	err      error  // of a result
	reported []bool // of an amendment
	reports  reports
}

type letterKind int

const (
	hopLetter letterKind = iota
	resultLetter
	endLetter
	amendLetter
)

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
	case l.kind == endLetter:
		return fmt.Sprintf("end attempt %d", l.spec.attempt)
	case l.kind == amendLetter:
		return fmt.Sprintf("plan of attempt %d", l.spec.attempt)
	case l.kind == resultLetter && l.err != nil:
		return fmt.Sprintf("error of %s", name())
	case l.kind == resultLetter && l.ending.skipped:
		return fmt.Sprintf("%s was skipped%s", name(), reported(l))
	case l.kind == resultLetter:
		return fmt.Sprintf("result of %s %s%s", name(), l.ending.value.Data, reported(l))
	case l.in.absent:
		return fmt.Sprintf("hop to %s input %d not taken%s", name(), l.port.input, reported(l))
	}
	return fmt.Sprintf("hop to %s input %d %v%s", name(), l.port.input, texts(l.in.args), reported(l))
}

func reported(l *letter) string {
	var names []string
	for _, r := range l.reports.all(len(l.spec.stages)) {
		names = append(names, l.spec.stages[r.stage].name)
	}
	if names == nil {
		return ""
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
	n := w.node(l.to)
	switch {
	case n.dead:
	case l.kind == resultLetter:
		w.receiveResult(l)
	case l.kind == endLetter:
		if n.ended = max(n.ended, l.spec.attempt); n.exec != nil && n.exec.spec.attempt <= n.ended {
			n.exec, n.running = nil, nil
		}
	case l.kind == amendLetter:
		if w.join(l.to, l.spec) != nil {
			w.answerAgain(l.to, l.reported)
		}
	default:
		w.receiveHop(l)
	}
}

func (w *world) receiveResult(l letter) {
	t := &w.tracker
	if !t.current(l.spec.attempt, l.port.stage) || slices.Contains(t.lost, l.from) || t.spec.places[l.port.stage].Node != l.from {
		return
	}
	if l.err != nil {
		w.do(t.stageFailed(l.spec.attempt, l.port.stage, l.err))
		return
	}
	w.do(t.sinkResult(l.spec.attempt, l.port.stage, l.ending, l.reports.all(len(l.spec.stages))))
}

func (w *world) receiveHop(l letter) {
	n := w.join(l.to, l.spec)
	if n == nil || slices.Contains(n.exec.lost, l.from) || isBefore(l.spec.attempt, n.exec.spec.attempt) {
		return
	}
	if sender, ok := n.exec.spec.sender(l.port); !ok || sender != l.from {
		return
	}
	ready, fresh := n.exec.arrive(l.port, l.in, nil)
	if fresh {
		n.exec.unsent.pass(l.reports.encoded(), len(l.spec.stages))
	}
	for _, t := range ready { // the run may end by any
		w.begin(l.to, t)
	}
}

func (w *world) answerAgain(id mesh.NodeID, reported []bool) {
	e := w.nodes[id].exec
	for _, sink := range e.unreported(reported) {
		st := &e.stages[sink]
		w.post(letter{kind: resultLetter, from: id, to: leader, spec: e.spec, port: port{stage: sink}, ending: ending{skipped: st.skipped, value: st.result}})
	}
}
