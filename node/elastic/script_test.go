package elastic

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

var update = flag.Bool("update", false, "rewrite the golden scripts with what the machines do now")

// runScripts runs each script of a folder in testdata. A script is a list of
// steps; a step is lines of commands, "----", lines of expected output, and
// an empty line. Steps that start with # are prose.
func runScripts(t *testing.T, folder string) {
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
			got := runScript(string(want), newWorld().do)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: the machine does\n%s\nwhere the script has\n%s", path, got, want)
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
				out.WriteString(result + "\n")
			}
		}
	}
	return out.Bytes()
}

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
			w.nodes[mesh.NodeID(fmt.Sprintf("n%d", i+1))] = &told{Load: Load{Places: number(busy), Hook: true}, live: true}
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
		w.nodes[mesh.NodeID(words[1])].ahead = span(words[2])
	case "successor": // another node looks now, which has seen nothing before
		w.restart()
	case "hook":
		w.hook(words[1:])
	case "judge":
		v := w.policy.Judge(w.live(), w.loads())
		return verdict(v)
	case "pass":
		return w.pass(span(words[1]))
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
		w.last = Attempt{Runner: "n1", Action: Action(words[1]), Live: len(w.nodes), Wanted: int(number(words[2])), Began: w.now.UnixMilli()}
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
		w.policy.Min = int(number(value))
	case "max":
		w.policy.Max = int(number(value))
	case "low":
		w.policy.Utilisation.Low = number(value)
	case "memory":
		w.policy.Memory = Band{Low: number(value) / 2, High: number(value)}
	case "latency":
		w.policy.Latency = span(value)
	case "grace":
		w.policy.GraceAdd, w.policy.GraceRemove = span(value), span(value)
	default:
		panic("no such policy: " + name)
	}
}

func (w *world) load(node *told, word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "places":
		node.Places = number(value)
	case "processors":
		node.Processors = number(value)
	case "memory":
		node.Memory = number(value)
	case "disk":
		node.Disk = number(value)
	case "latency":
		node.Latency = span(value)
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

func TestVerdictsOfOneMoment(t *testing.T) { runScripts(t, "judge") }

func TestDecisionsOverTime(t *testing.T) { runScripts(t, "machine") }
