package elastic

import (
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Options are what a Machine goes by.
type Options struct {
	Policy Policy
	// Fresh is for how long what a node published counts. Older figures are as none.
	Fresh time.Duration
	// HookBound is how long a hook can run at most: one of which no end was
	// noted by then died with its node.
	HookBound time.Duration
}

// Machine remembers since when the load calls for another number of nodes,
// and when that number was last changed. All times are of the node that owns
// it: those of other nodes' clocks serve only to tell what is new. It is for
// one goroutine.
type Machine struct {
	Options
	seen    map[mesh.NodeID]sighting
	last    Attempt   // as it was seen last
	changed time.Time // when the last attempt became what it is; zero when there never was one
	calls   Action    // what the load calls for
	since   time.Time
}

// sighting is a publication, and when it was first seen.
type sighting struct {
	published int64
	at        time.Time
}

// Decision is what a Machine makes of a look at the mesh.
type Decision struct {
	Verdict
	// Wanted is how many nodes there are to be, once the load that calls for
	// it has lasted; until then, as many as live.
	Wanted int
	// Due is what the hook is to be run for now, by Runner.
	Due    Action
	Runner mesh.NodeID
}

// NewMachine makes a machine that has seen nothing.
func NewMachine(o Options) *Machine {
	return &Machine{Options: o, seen: map[mesh.NodeID]sighting{}}
}

// Look decides. live are the nodes that stay, loads what they published last,
// and last is the last attempt that was noted.
func (m *Machine) Look(now time.Time, live []mesh.NodeID, loads map[mesh.NodeID]Load, last Attempt) Decision {
	loads = m.fresh(now, live, loads)
	if last != m.last {
		m.last, m.changed = last, now
	}
	d := Decision{Verdict: m.Policy.Judge(live, loads), Wanted: len(live)}
	if calls := d.calls(); calls != m.calls {
		m.calls, m.since = calls, now
	}
	if m.last.runs() && now.Sub(m.changed) < m.HookBound {
		d.Wanted = m.last.Wanted
		d.Reason += "; a hook runs"
		return d
	}
	if m.calls == Stay {
		return d
	}
	if wait := m.due().Sub(now); wait > 0 {
		d.Reason += fmt.Sprintf("; to be acted on in %v", wait.Round(time.Second/10))
		return d
	}
	d.Wanted, d.Due, d.Runner = d.Verdict.Wanted, m.calls, runner(live, loads, d.Node)
	return d
}

func (v Verdict) calls() Action {
	switch {
	case v.Wanted > v.Live:
		return Add
	case v.Wanted < v.Live:
		return Remove
	}
	return Stay
}

// due is when what the load calls for may be acted on.
func (m *Machine) due() time.Time {
	grace := m.Policy.GraceAdd
	if m.calls == Remove {
		grace = m.Policy.GraceRemove
	}
	if m.changed.After(m.since) {
		return m.changed.Add(grace)
	}
	return m.since.Add(grace)
}

// fresh leaves out what was published long ago, by when this machine saw it first.
func (m *Machine) fresh(now time.Time, live []mesh.NodeID, loads map[mesh.NodeID]Load) map[mesh.NodeID]Load {
	kept := make(map[mesh.NodeID]Load, len(loads))
	seen := make(map[mesh.NodeID]sighting, len(live))
	for _, node := range live {
		load, told := loads[node]
		if !told {
			continue
		}
		at, known := m.seen[node]
		if !known || at.published != load.Published {
			at = sighting{load.Published, now}
		}
		seen[node] = at
		if now.Sub(at.at) < m.Fresh {
			kept[node] = load
		}
	}
	m.seen = seen
	return kept
}

// runner gives the node with the lowest id of those that have a hook, but not
// the one that is to go: what it runs would end with it. Empty where there is none.
func runner(live []mesh.NodeID, loads map[mesh.NodeID]Load, going mesh.NodeID) mesh.NodeID {
	var able []mesh.NodeID
	for _, node := range live {
		if loads[node].Hook && node != going {
			able = append(able, node)
		}
	}
	if len(able) == 0 {
		return ""
	}
	return slices.Min(able)
}
