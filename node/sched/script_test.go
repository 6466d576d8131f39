package sched

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

// pairs reads "a:1,b:2".
func pairs(word string, each func(name, value string)) {
	for part := range strings.SplitSeq(word, ",") {
		name, value, _ := strings.Cut(part, ":")
		each(name, value)
	}
}

// planScript describes one request after the other, each from its first
// node or stage to "plan".
type planScript struct{ q Request }

func (p *planScript) do(words []string) string {
	switch words[0] {
	case "policy":
		p.q.Policy = Policy(words[1])
	case "turn":
		p.q.Turn = uint64(golden.Number(words[1]))
	case "seed": // and the share of stages that spread data
		p.q.Rand = rand.New(rand.NewPCG(uint64(golden.Number(words[1])), 0))
		p.q.Weights.RandomShare = golden.Number(words[2])
	case "pin":
		if p.q.Pins == nil {
			p.q.Pins = map[string]mesh.NodeID{}
		}
		p.q.Pins[words[1]] = mesh.NodeID(words[2])
	case "key": // and its size
		if p.q.Sizes == nil {
			p.q.Sizes = map[mesh.Key]int64{}
		}
		p.q.Sizes[key(words[1])] = int64(golden.Number(words[2]))
	case "node":
		p.q.Nodes = append(p.q.Nodes, scriptNode(words[1], words[2:]))
	case "stage":
		p.q.Stages = append(p.q.Stages, p.stage(words[1], words[2:]))
	case "plan":
		return p.plan()
	default:
		return "unknown command " + words[0]
	}
	return ""
}

func (p *planScript) plan() string {
	q := p.q
	q.Self = "n1"
	p.q = Request{}
	for i := range q.Stages {
		for n := range q.Nodes {
			if q.Nodes[n].ID == q.Self {
				q.Stages[i].Here = q.Nodes[n].Funcs[q.Stages[i].Func.Ref]
			}
		}
	}
	plan, err := Plan(q)
	if err != nil {
		return plain(err.Error())
	}
	var lines []string
	for i, at := range plan {
		lines = append(lines, fmt.Sprintf("%s -> %s: %s", q.Stages[i].Name, string(at.Node), at.Why))
	}
	return strings.Join(lines, "\n")
}

// plain writes the ids of nodes as the scripts do.
func plain(text string) string {
	for _, id := range []mesh.NodeID{"n1", "n2", "n3", "n9"} {
		text = strings.ReplaceAll(text, "node "+id.String(), "node "+string(id))
	}
	return text
}

func scriptNode(id string, words []string) Node {
	n := Node{ID: mesh.NodeID(id), Cached: map[mesh.Key]int64{}, Labels: map[string]string{}, Funcs: map[mesh.FuncRef]FuncAt{}}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "rtt":
			n.RTT = golden.Span(value)
		case "load":
			n.Load = golden.Number(value)
		case "waiting":
			n.Waiting = int(golden.Number(value))
		case "places":
			n.Places = int(golden.Number(value))
		case "cooling":
			n.Cooling = true
		case "holds":
			pairs(value, func(name, bytes string) { n.Cached[key(name)] = int64(golden.Number(bytes)) })
		case "labels":
			pairs(value, func(name, value string) { n.Labels[name] = value })
		case "warm":
			pairs(value, func(name, _ string) { n.Funcs[ref(name)] = FuncAt{Warm: 1} })
		case "busy": // f:running:limit
			pairs(value, func(name, value string) {
				running, limit, _ := strings.Cut(value, ":")
				n.Funcs[ref(name)] = FuncAt{Warm: 1, Busy: int(golden.Number(running)), Limit: int(golden.Number(limit))}
			})
		default:
			panic("node " + word)
		}
	}
	return n
}

func (p *planScript) stage(name string, words []string) Stage {
	s := wasm(name)
	var cost Cost
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "of":
			s.Func.Ref = ref(value)
		case "hosts":
			s.Func.Kind = mesh.Native
			pairs(value, func(host, _ string) { s.Func.Hosts = append(s.Func.Hosts, mesh.NodeID(host)) })
		case "after":
			pairs(value, func(parent, _ string) { s.Parents = append(s.Parents, p.index(parent)) })
		case "reads":
			pairs(value, func(name, _ string) { s.Refs = append(s.Refs, key(name)) })
		case "at":
			s.At = mesh.NodeID(value)
		case "group":
			s.Colocate = value
		case "labels":
			s.Labels = map[string]string{}
			pairs(value, func(name, value string) { s.Labels[name] = value })
		case "mean":
			cost.Mean = golden.Span(value)
		case "cold":
			cost.Cold = golden.Span(value)
		case "bytes":
			cost.ResultBytes = int64(golden.Number(value))
		case "rate":
			cost.Rate = golden.Number(value)
		default:
			panic("stage " + word)
		}
	}
	if p.q.Costs == nil {
		p.q.Costs = map[mesh.FuncRef]Cost{}
	}
	p.q.Costs[s.Func.Ref] = cost
	return s
}

func (p *planScript) index(stage string) int {
	for i := range p.q.Stages {
		if p.q.Stages[i].Name == stage {
			return i
		}
	}
	panic("no stage " + stage)
}

func TestPlanScripts(t *testing.T) {
	golden.Words(t, "plan", func() func([]string) string { return new(planScript).do })
}
