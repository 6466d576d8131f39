package nemesis

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/internal/nemesis/witness"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Bounds of a history.
const (
	historyKeys = 4
	fewestSteps = 2 // of a stage
	mostSteps   = 4
	mostEvents  = check.MaxEvents - check.MaxEvents/20 // that runs may come to; the rest is for executions that nobody heard of
)

// history is what the runs of one level read and wrote, as those tell it that
// gave their result. It is safe for concurrent use.
type history struct {
	level mesh.Consistency
	keys  []string // that only these runs have
	began time.Time

	lock      sync.Mutex
	runs      map[string]plan
	planned   int // events that the runs may come to
	events    []check.Event
	done      map[string]check.Outcome // runs that gave their result, and when
	conflicts int                      // runs that ended with one, and wrote nothing
	node      map[string]string        // that executed, by run and execution
	written   map[written]bool
	refused   bool // a run, since there would be too many events
	nextName  int
}

// plan is a run that was begun, and what it may do.
type plan struct {
	began  time.Duration
	orders map[string]witness.Order // by stage
}

type written struct{ key, version string }

func newHistory(level mesh.Consistency, began time.Time) *history {
	h := &history{
		level: level, began: began, runs: map[string]plan{}, done: map[string]check.Outcome{},
		node: map[string]string{}, written: map[written]bool{},
	}
	for i := range historyKeys {
		h.keys = append(h.keys, fmt.Sprintf("witness-%s-%d", level, i))
	}
	return h
}

// begin draws what the stages of a run do, and gives the run's name and the
// arguments of its call; false where the history has no room for more.
func (h *history) begin(d *mesh.DAG, chance *rand.Rand) (name string, args sdk.Args, room bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	name, args = fmt.Sprint(h.nextName), sdk.Args{}
	p, events := plan{began: time.Since(h.began), orders: map[string]witness.Order{}}, 0
	for _, stage := range d.Stages {
		order := witness.Order{Run: name, Stage: stage.Name}
		for range fewestSteps + chance.IntN(mostSteps-fewestSteps+1) {
			order.Steps = append(order.Steps, witness.Step{Key: h.keys[chance.IntN(len(h.keys))], Writes: chance.IntN(3) == 0})
		}
		p.orders[stage.Name] = order
		args[stage.Name] = []any{witness.Note{Order: order}}
		events += len(order.Steps)
	}
	if h.planned+events > mostEvents {
		h.refused = true
		return "", nil, false
	}
	h.nextName++
	h.runs[name], h.planned = p, h.planned+events
	return name, args, true
}

// tells adds what a run tells with its result. What a stage can have seen of
// the run are the executions whose results it got.
func (h *history) tells(name string, note witness.Note) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.done[name] = check.Outcome{At: time.Since(h.began)}
	for _, by := range note.Done {
		h.node[name+"/"+by.Name] = by.Node
		for _, d := range by.Deeds {
			e := check.Event{
				Run: name, Stage: by.Name, Ordered: true, Earlier: by.After,
				Key: d.Key, Writes: d.Writes, Version: d.Version, Began: h.at(d.Began),
			}
			if h.level == mesh.Transactional {
				e.Transaction = name
			}
			if d.Ended != 0 {
				e.Ended, e.Acked = h.at(d.Ended), d.Writes
			}
			h.note(e)
		}
	}
}

// conflict notes that a run ended with one.
func (h *history) conflict() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.conflicts++
}

// at is the time since the history began.
func (h *history) at(unix int64) time.Duration { return time.Duration(unix - h.began.UnixNano()) }

// ends adds what a key holds in the end; an empty version is that it is missing.
func (h *history) ends(key, version string, began, ended time.Time) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.note(check.Event{
		Session: "at the end, " + key, Key: key, Version: version, Final: true,
		Began: began.Sub(h.began), Ended: ended.Sub(h.began),
	})
}

// note adds an event. The lock is held.
func (h *history) note(e check.Event) {
	h.events = append(h.events, e)
	if e.Writes {
		h.written[written{e.Key, e.Version}] = true
	}
}

// silent are the writes that were read and that no result told of: of runs
// without a result, and of executions that others took the place of. When they
// were made is known as little as what their writers had seen. What no
// run was to write is not among them.
func (h *history) silent() (writes []check.Event) {
	known := map[written]bool{}
	for _, e := range h.events {
		at := written{e.Key, e.Version}
		v, is := witness.ParseVersion(e.Version)
		if e.Writes || !is || h.written[at] || known[at] {
			continue
		}
		p := h.runs[v.Run]
		steps := p.orders[v.Stage].Steps
		if v.Step < 0 || v.Step >= len(steps) || steps[v.Step] != (witness.Step{Key: e.Key, Writes: true}) {
			continue
		}
		known[at] = true
		write := check.Event{
			Run: v.Run, Stage: v.Name(), Ordered: true, Key: e.Key, Writes: true, Version: e.Version, Began: p.began,
		}
		if h.level == mesh.Transactional { // of the run as a whole it is not known what it had done when it wrote this
			write.Transaction = v.Run + "/" + v.Name()
		}
		writes = append(writes, write)
	}
	return writes
}

// scene is where and during what things happened, for who tells of them.
type scene struct {
	names  map[string]string // of nodes, by their ids
	during func(time.Time) string
}

// judge holds the history against its level.
func (h *history) judge(at scene) (LevelReport, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	silent := h.silent()
	r := LevelReport{Level: h.level.String(), Runs: len(h.done), Conflicts: h.conflicts, Unanswered: len(h.runs) - len(h.done) - h.conflicts, Unheard: len(silent), Full: h.refused}
	for _, e := range h.events {
		switch {
		case e.Writes:
			r.Writes++
		case !e.Final:
			r.Reads++
		}
	}
	found, counts, err := check.Tally(slices.Concat(check.Conclude(h.events, h.done), silent), check.Forbidden(h.level)...)
	if err != nil {
		return r, mesh.Errorf(mesh.KindOf(err), "the history of "+r.Level, "%w", err)
	}
	for _, n := range counts {
		r.Violations += n
	}
	for _, v := range found[:min(mostOdd, len(found))] {
		told := Violation{Anomaly: v.Anomaly.String()}
		for _, e := range v.Events {
			told.Events = append(told.Events, h.tell(e, at))
		}
		r.Told = append(r.Told, told)
	}
	return r, nil
}

// tell says what happened, where and when, and during which fault.
func (h *history) tell(e check.Event, at scene) string {
	text := e.String()
	if node := h.node[e.Run+"/"+e.Stage]; node != "" {
		text += " at " + cmp.Or(at.names[node], node)
	}
	text += fmt.Sprintf(", from %v", e.Began.Round(time.Microsecond))
	if e.Ended == 0 {
		return text + ", never answered"
	}
	text += fmt.Sprintf(" to %v", e.Ended.Round(time.Microsecond))
	if fault := at.during(h.began.Add(e.Began)); fault != "" {
		text += ", " + fault
	}
	return text
}
