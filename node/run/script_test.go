package run

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

var update = flag.Bool("update", false, "write what the scripts give into their files")

// A script is a list of blocks: a command, a line of four dashes, what it
// gives, an empty line. Commands:
//
//	run STAGE... FROM:TO...        declare the DAG
//	args STAGE=VALUE,VALUE...      the call's own arguments
//	start STAGE=NODE...            begin an attempt
//	deliver N...                   deliver letters, by number
//	finish STAGE@NODE...           end invocations
//	fail STAGE@NODE MESSAGE        end an invocation with an error
//	down NODE                      a node dies
//	expire                         the deadline passes
//	play SEED                      deliver and finish what is left in a random order, with duplicates
//	reports                        the stages that the coordinator knows to have finished
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	var got strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(raw)), "\n\n") {
		command, _, _ := strings.Cut(block, "\n----")
		got.WriteString(command + "\n----\n" + s.do(t, command) + "\n")
	}
	text := strings.TrimSpace(got.String()) + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != string(raw) {
		t.Errorf("%s gives\n%s", file, text)
	}
}

type script struct {
	stages, edges []string
	args          map[string][]Arg
	*world
}

func (s *script) do(t *testing.T, command string) string {
	lines := strings.Split(command, "\n")
	words := strings.Fields(lines[len(lines)-1]) // comments come before
	if words[0] == "run" {
		*s = script{args: map[string][]Arg{}}
		s.declare(words[1:])
		return ""
	}
	if words[0] == "args" {
		for _, word := range words[1:] {
			stage, list, _ := strings.Cut(word, "=")
			s.args[stage] = argsOf(strings.Split(list, ",")...)
		}
		return ""
	}
	if s.world == nil {
		var err error
		if s.world, err = newWorld(dagOf(s.stages, s.edges), s.args, DefaultAttempts); err != nil {
			t.Fatal(err)
		}
	}
	s.out.Reset()
	s.step(t, words)
	return s.out.String()
}

func (s *script) declare(words []string) {
	for _, word := range words {
		if strings.Contains(word, ":") {
			s.edges = append(s.edges, word)
		} else {
			s.stages = append(s.stages, word)
		}
	}
}

func (s *script) step(t *testing.T, words []string) {
	switch words[0] {
	case "start":
		s.start(s.placesOf(words[1:]))
	case "deliver":
		for _, word := range words[1:] {
			s.receive(s.mail[number(t, word)-1])
		}
	case "finish":
		for _, word := range words[1:] {
			node, stage := s.at(word)
			s.finish(node, stage)
		}
	case "fail":
		node, stage := s.at(words[1])
		s.fail(node, stage, strings.Join(words[2:], " "))
	case "down":
		s.kill(mesh.NodeID(words[1]))
	case "expire":
		s.world.do(s.tracker.fail(mesh.Errorf(mesh.DeadlineExceeded, "", "too late")))
	case "play":
		s.play(rand.New(rand.NewPCG(uint64(number(t, words[1])), 0)), func() {})
	case "reports":
		for _, r := range s.tracker.record(leader, 1).Reports {
			s.logf("%s at %s", s.graph.stages[r.Stage].name, string(r.Node))
		}
	default:
		t.Fatalf("unknown command %q", words[0])
	}
}

func number(t *testing.T, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *script) at(word string) (mesh.NodeID, int) {
	name, node, _ := strings.Cut(word, "@")
	return mesh.NodeID(node), s.stage(name)
}

func (s *script) stage(name string) int {
	for i := range s.graph.stages {
		if s.graph.stages[i].name == name {
			return i
		}
	}
	return -1
}

func (s *script) placesOf(words []string) []mesh.NodeID {
	places := make([]mesh.NodeID, len(s.stages))
	for i := range places {
		places[i] = leader
	}
	for _, word := range words {
		name, node, _ := strings.Cut(word, "=")
		places[s.stage(name)] = mesh.NodeID(node)
	}
	return places
}

// dagOf builds a DAG from stage names and edges "from:to".
func dagOf(stages, edges []string) *mesh.DAG {
	d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: "d"}
	for _, s := range stages {
		d.Stages = append(d.Stages, mesh.Stage{Name: s, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: s}})
	}
	for _, e := range edges {
		from, to, _ := strings.Cut(e, ":")
		d.Edges = append(d.Edges, mesh.Edge{From: from, To: to})
	}
	return d
}

func argsOf(values ...string) []Arg {
	args := make([]Arg, len(values))
	for i, v := range values {
		args[i].Value = text(v)
	}
	return args
}
