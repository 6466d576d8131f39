package elastic

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

// interval is that at which the nodes of scripts publish, and are looked at.
const interval = 15 * time.Second

// world is a mesh whose nodes publish what a script says.
type world struct {
	machine *Machine
	policy  Policy
	now     time.Time
	start   time.Time
	nodes   map[mesh.NodeID]*told
	last    Attempt
	said    string
}

type told struct {
	Load
	live, silent bool
	ahead        time.Duration // of its clock
}

// original is the policy of the systems that Virga follows.
func original() Policy {
	return Policy{
		Min: 1, Max: 5, Utilisation: Band{Low: 0.2, High: 0.7}, Disk: Band{Low: 0.5, High: 0.75},
		GraceAdd: 2 * time.Minute, GraceRemove: 2 * time.Minute,
	}
}

func newWorld() *world {
	w := &world{policy: original(), start: time.Unix(0, 0), nodes: map[mesh.NodeID]*told{}}
	w.now = w.start
	w.restart()
	return w
}

func (w *world) restart() {
	w.machine = NewMachine(Options{Policy: w.policy, Fresh: 4 * interval, HookBound: 10 * time.Minute})
}

func (w *world) do(words []string) string {
	switch words[0] {
	case "policy": // name=value ...
		for _, word := range words[1:] {
			w.set(word)
		}
		w.restart()
	case "nodes": // that there are, and how busy
		w.nodes = map[mesh.NodeID]*told{}
		for i, busy := range words[1:] {
			w.nodes[mesh.NodeID(fmt.Sprintf("n%d", i+1))] = &told{Load: Load{Places: golden.Number(busy), Hook: true}, live: true}
		}
	case "load": // of a node: name=value ...
		for _, word := range words[2:] {
			w.load(w.nodes[mesh.NodeID(words[1])], word)
		}
	case "join": // nodes that have published nothing
		for _, name := range words[1:] {
			w.nodes[mesh.NodeID(name)] = &told{Load: Load{Hook: true}, live: true, silent: true}
		}
	case "die":
		delete(w.nodes, mesh.NodeID(words[1]))
	case "silent", "speaks": // a node publishes no more, or again
		w.nodes[mesh.NodeID(words[1])].silent = words[0] == "silent"
	case "clock": // of a node is ahead by so much
		w.nodes[mesh.NodeID(words[1])].ahead = golden.Span(words[2])
	case "successor": // another node looks now, which has seen nothing before
		w.restart()
	case "hook":
		w.hook(words[1:])
	case "judge":
		v := w.policy.Judge(w.live(), w.loads())
		return verdict(v)
	case "pass":
		return w.pass(golden.Span(words[1]))
	default:
		return "unknown command " + words[0]
	}
	return ""
}

// pass looks once an interval, and tells what is new.
func (w *world) pass(d time.Duration) string {
	var lines []string
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(interval)
		for _, node := range w.nodes {
			if !node.silent {
				node.Published = w.now.Add(node.ahead).UnixMilli()
			}
		}
		at := w.machine.Look(w.now, w.live(), w.loads(), w.last)
		line := decision(at)
		if told, _, _ := strings.Cut(line, "; to be acted on"); told != w.said {
			lines = append(lines, fmt.Sprintf("%v: %s", w.now.Sub(w.start), line))
			w.said = told
		}
	}
	return strings.Join(lines, "\n")
}

func (w *world) hook(words []string) {
	switch words[0] {
	case "begins": // add|remove, and how many are wanted
		w.last = Attempt{Runner: "n1", Action: Action(words[1]), Live: len(w.nodes), Wanted: int(golden.Number(words[2])), Began: w.now.UnixMilli()}
	case "ends":
		w.last.Ended = w.now.UnixMilli()
		w.last.Failed = strings.Join(words[1:], " ")
	}
}

func (w *world) live() (live []mesh.NodeID) {
	for id, node := range w.nodes {
		if node.live {
			live = append(live, id)
		}
	}
	return live
}

// loads are what the nodes have ever published.
func (w *world) loads() map[mesh.NodeID]Load {
	loads := map[mesh.NodeID]Load{}
	for id, node := range w.nodes {
		if !node.silent || node.Published != 0 {
			loads[id] = node.Load
		}
	}
	return loads
}

func (w *world) set(word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "min":
		w.policy.Min = int(golden.Number(value))
	case "max":
		w.policy.Max = int(golden.Number(value))
	case "low":
		w.policy.Utilisation.Low = golden.Number(value)
	case "memory":
		w.policy.Memory = Band{Low: golden.Number(value) / 2, High: golden.Number(value)}
	case "latency":
		w.policy.Latency = golden.Span(value)
	case "grace":
		w.policy.GraceAdd, w.policy.GraceRemove = golden.Span(value), golden.Span(value)
	default:
		panic("no such policy: " + name)
	}
}

func (w *world) load(node *told, word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "places":
		node.Places = golden.Number(value)
	case "processors":
		node.Processors = golden.Number(value)
	case "memory":
		node.Memory = golden.Number(value)
	case "disk":
		node.Disk = golden.Number(value)
	case "latency":
		node.Latency = golden.Span(value)
	case "hook":
		node.Hook = value == "true"
	default:
		panic("no such load: " + name)
	}
}

func verdict(v Verdict) string {
	line := fmt.Sprintf("%d of %d wanted: %s", v.Wanted, v.Live, v.Reason)
	if v.Node != "" {
		line += "; " + string(v.Node) + " goes"
	}
	return line
}

func decision(d Decision) string {
	v := d.Verdict
	if d.Due != Remove {
		v.Node = ""
	}
	v.Wanted = d.Wanted
	line := verdict(v)
	if d.Due != Stay {
		line += fmt.Sprintf("; %s, run by %q", d.Due, string(d.Runner))
	}
	return line
}

func TestVerdictsOfOneMoment(t *testing.T) {
	golden.Words(t, "judge", func() func([]string) string { return newWorld().do })
}

func TestDecisionsOverTime(t *testing.T) {
	golden.Words(t, "machine", func() func([]string) string { return newWorld().do })
}
