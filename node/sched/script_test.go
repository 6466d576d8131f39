package sched

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

var update = flag.Bool("update", false, "rewrite the golden scripts with what the planner does now")

// runScripts runs each script of a folder in testdata. A script is a list of
// steps; a step is lines of commands, "----", lines of expected output, and
// an empty line. Steps that start with # are prose.
func runScripts(t *testing.T, folder string, start func() func(words []string) string) {
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(string(want), start())
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: it does\n%s\nwhere the script has\n%s", path, got, want)
			}
		})
	}
}

func runScript(script string, do func(words []string) string) []byte {
	var out bytes.Buffer
	for i, step := range strings.Split(strings.TrimSpace(script), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		commands, _, _ := strings.Cut(step, "\n----")
		out.WriteString(commands + "\n")
		if strings.HasPrefix(commands, "#") {
			continue
		}
		out.WriteString("----\n")
		for line := range strings.Lines(commands) {
			if result := do(strings.Fields(line)); result != "" {
				fmt.Fprintln(&out, result)
			}
		}
	}
	return out.Bytes()
}

func number(word string) float64 {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		panic(err) // a script of ours is wrong
	}
	return f
}

func span(word string) time.Duration {
	d, err := time.ParseDuration(word)
	if err != nil {
		panic(err)
	}
	return d
}

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
		p.q.Turn = uint64(number(words[1]))
	case "seed": // and the share of stages that spread data
		p.q.Rand = rand.New(rand.NewPCG(uint64(number(words[1])), 0))
		p.q.Weights.RandomShare = number(words[2])
	case "pin":
		if p.q.Pins == nil {
			p.q.Pins = map[string]mesh.NodeID{}
		}
		p.q.Pins[words[1]] = mesh.NodeID(words[2])
	case "key": // and its size
		if p.q.Sizes == nil {
			p.q.Sizes = map[mesh.Key]int64{}
		}
		p.q.Sizes[key(words[1])] = int64(number(words[2]))
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
			n.RTT = span(value)
		case "load":
			n.Load = number(value)
		case "waiting":
			n.Waiting = int(number(value))
		case "places":
			n.Places = int(number(value))
		case "cooling":
			n.Cooling = true
		case "holds":
			pairs(value, func(name, bytes string) { n.Cached[key(name)] = int64(number(bytes)) })
		case "labels":
			pairs(value, func(name, value string) { n.Labels[name] = value })
		case "warm":
			pairs(value, func(name, _ string) { n.Funcs[ref(name)] = FuncAt{Warm: 1} })
		case "busy": // f:running:limit
			pairs(value, func(name, value string) {
				running, limit, _ := strings.Cut(value, ":")
				n.Funcs[ref(name)] = FuncAt{Warm: 1, Busy: int(number(running)), Limit: int(number(limit))}
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
		case "group":
			s.Colocate = value
		case "labels":
			s.Labels = map[string]string{}
			pairs(value, func(name, value string) { s.Labels[name] = value })
		case "mean":
			cost.Mean = span(value)
		case "cold":
			cost.Cold = span(value)
		case "bytes":
			cost.ResultBytes = int64(number(value))
		case "rate":
			cost.Rate = number(value)
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
	runScripts(t, "plan", func() func([]string) string { return new(planScript).do })
}
