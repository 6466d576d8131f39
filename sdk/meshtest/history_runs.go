package meshtest

import (
	"slices"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
)

// Order tells which stages come before which. Without it stages of one run count as
// beside one another, and what the causal levels promise from stage to stage is not
// checked. A stage that an earlier DAG had, with others before it, is Invalid: stages of
// several DAGs need names of their own. So is a DAG with a cycle.
func (h *History) Order(d *mesh.DAG) error {
	for _, edge := range d.Edges {
		if d.Stage(edge.From) < 0 || d.Stage(edge.To) < 0 {
			return mesh.Errorf(mesh.Invalid, "history", "edge %s:%s of the DAG %s: expected two of its stages", edge.From, edge.To, d.Name)
		}
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.earlier == nil {
		h.earlier = map[string][]string{}
	}
	for _, stage := range d.Stages {
		names := d.Earlier(stage.Name)
		if known, told := h.earlier[stage.Name]; slices.Contains(names, stage.Name) || told && !slices.Equal(known, names) {
			return mesh.Errorf(mesh.Invalid, "history", "stage %s of the DAG %s: expected one that has no name of another DAG's, and does not come before itself", stage.Name, d.Name)
		}
		h.earlier[stage.Name] = names
		if stage.Any != nil { // each parent's result has an execution of its own
			for _, parent := range d.Parents(stage.Name) {
				branch := stage.Name + "<" + d.Stages[parent].Name
				h.earlier[branch] = d.Earlier(branch)
			}
		}
	}
	return nil
}

// Ended tells how a run at mesh.Transactional ended: the error of its call, or nil.
// Name the run by CallOptions.RunID, and tell it when the call has returned. The run's writes are
// made when it has succeeded, so that is when they are acknowledged; after a Conflict none was made, and
// after another error all of them or none. What a run has read counts if it succeeded: till then it does not know
// whether that was of one moment. Check at that level is Invalid while the end of a run has not been
// told. A run at another level makes its writes one by one: say nothing of it.
func (h *History) Ended(run mesh.RunID, err error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.ended == nil {
		h.ended = map[string]check.Outcome{}
	}
	h.ended[run.String()] = check.Outcome{At: h.next(), Err: err}
}

// withoutEnd gives a run of which Ended was not told.
func (h *History) withoutEnd() (run string, left bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, e := range h.events {
		if _, told := h.ended[e.Run]; e.Run != "" && !told {
			return e.Run, true
		}
	}
	return "", false
}

// ofKey comes between the name of a client and a key, in the sessions that the checker sees.
const ofKey = "\x00"

// forChecker gives the events with what they are in the past of: those of a run by the
// order of the stages, those of a client key by key.
func (h *History) forChecker(level mesh.Consistency) []check.Event {
	h.lock.Lock()
	defer h.lock.Unlock()
	events := slices.Clone(h.events)
	for i := range events {
		e := &events[i]
		if e.Session != "" {
			e.Session += ofKey + e.Key
			continue
		}
		e.Ordered, e.Earlier = true, h.earlier[e.Stage]
		if _, told := h.ended[e.Run]; told || level == mesh.Transactional {
			e.Transaction = e.Run
		}
	}
	events = check.Conclude(events, h.ended)
	if level != mesh.Transactional { // which does not promise what is seen of transactions
		for i := range events {
			events[i].Transaction = ""
		}
	}
	return events
}
