package run

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
//	when FROM:TO CONDITION         of an edge
//	any STAGE INVALID...           it takes any of its parents' results
//	args STAGE=VALUE,VALUE...      the call's own arguments
//	start STAGE=NODE...            begin the run
//	deliver N...                   deliver letters, by number
//	finish STAGE@NODE...           end invocations; STAGE<PARENT of an any-of stage; =VALUE gives the result
//	fail STAGE@NODE MESSAGE        end an invocation with an error
//	down NODE                      a node dies
//	survey                         ask how stages stand: which have to run again
//	again STAGE=NODE...            run them again
//	expire                         the deadline passes
//	commits                        what the run writes is to be committed
//	committed, conflict            how the commit ends; start begins anew
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
	commits       bool
	dag           *mesh.DAG
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
	if words[0] == "when" || words[0] == "any" {
		s.refine(t, words)
		return ""
	}
	if words[0] == "args" {
		for _, word := range words[1:] {
			stage, list, _ := strings.Cut(word, "=")
			s.args[stage] = argsOf(strings.Split(list, ",")...)
		}
		return ""
	}
	if words[0] == "commits" {
		s.commits = true
		return ""
	}
	if s.world == nil {
		var err error
		if s.world, err = newWorld(s.dag, s.args, DefaultAttempts); err != nil {
			t.Fatal(err)
		}
		s.tracker.commits = s.commits
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
	s.dag = dagOf(s.stages, s.edges)
}

// refine gives an edge a condition, or has a stage take any of its parents' results.
func (s *script) refine(t *testing.T, words []string) {
	if words[0] == "any" {
		any := &mesh.AnyOf{}
		for _, invalid := range words[2:] {
			any.Invalid = append(any.Invalid, text(invalid))
		}
		s.dag.Stages[s.dag.Stage(words[1])].Any = any
		return
	}
	when, err := mesh.ParseCondition(strings.Join(words[2:], " "))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range s.dag.Edges {
		if e.From+":"+e.To == words[1] {
			s.dag.Edges[i].When = when
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
			s.finishAt(word)
		}
	case "fail":
		node, task := s.at(words[1])
		s.finishWith(node, task, mesh.Value{}, mesh.Errorf(mesh.UserError, "", "%s", strings.Join(words[2:], " ")))
	case "down":
		s.kill(mesh.NodeID(words[1]))
	case "survey":
		s.look()
		s.logf("again %v", s.names(s.survey.again()))
	case "again":
		var places []mesh.NodeID
		for _, i := range s.survey.again() {
			places = append(places, s.placesOf(words[1:])[i])
		}
		s.amend(places)
	case "expire":
		s.world.do(s.tracker.fail(mesh.Errorf(mesh.DeadlineExceeded, "", "too late")))
	case "committed":
		s.world.do(s.tracker.committed())
	case "conflict":
		s.world.do(s.tracker.conflicted(mesh.Errorf(mesh.Conflict, "commit", "key k was written")))
	case "play":
		s.play(rand.New(rand.NewPCG(uint64(number(t, words[1])), 0)), func() bool { return false })
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

// finishAt ends the invocation that a word names.
func (s *script) finishAt(word string) {
	word, value, given := strings.Cut(word, "=")
	node, task := s.at(word)
	if given {
		s.finishWith(node, task, text(value), nil)
		return
	}
	s.finish(node, task)
}

func (s *script) at(word string) (mesh.NodeID, task) {
	name, node, _ := strings.Cut(word, "@")
	name, parent, _ := strings.Cut(name, "<")
	t := task{stage: s.stage(name)}
	if parent != "" {
		t.parent = 1 + slices.Index(s.graph.stages[t.stage].parents, s.stage(parent))
	}
	return mesh.NodeID(node), t
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
