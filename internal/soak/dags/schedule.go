package dags

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Bounds of a schedule.
const (
	fewestNodes = 3
	mostNodes   = 6
	callsInAll  = 20
	quickJobs   = 5
	quickCalls  = 200
	burst       = 3 * time.Second       // in which these begin
	mostSlow    = 40 * time.Millisecond // of what one node sends another: a round trip stays below what counts as silence
	mostSkew    = 100 * time.Second     // of a clock
	maxSkew     = 5 * time.Minute       // that nodes take
	mostFaults  = 3
	lasting     = 10 * time.Second // until the last call
)

// Schedule is what happens to one mesh. It follows from its seed.
type Schedule struct {
	Seed   uint64
	Nodes  int
	Calls  []Call
	Faults []Fault // one after the other
	// Level of runs that read and write state.
	Level mesh.Consistency
	// Slow is what is added to the ways between nodes, and Skew to their
	// clocks: what is written arrives in another order than that of its causes.
	Slow []Slow
	Skew []time.Duration // by node; none at levels that are not causal
	// Lax runs that read state do so at mesh.Eventual: to see that the checker
	// finds what is wrong with that.
	Lax bool
}

// Call runs a DAG through a node.
type Call struct {
	At     time.Duration // since the start
	Node   int
	Policy string
	// Named calls have an id, and are repeated at another node when the one
	// that was called is gone.
	Named bool
	// Reads has the stages read and write state, at the schedule's level.
	Reads bool
	job   job
}

// Slow is a way between two nodes.
type Slow struct {
	From, To int
	By       time.Duration
}

// Fault takes nodes away for a while.
type Fault struct {
	At, Lasts time.Duration
	Verb      Verb
	Nodes     []int
}

// Verb is what befalls nodes.
type Verb string

// The verbs.
const (
	Kill Verb = "kill" // as kill -9 does; they are started again
	Stop Verb = "stop" // in order, as a signal does
	Cut  Verb = "cut"  // they do not hear the others, nor the others them
)

// Generate gives the schedule of a seed: levels take turns.
func Generate(seed uint64) Schedule {
	levels := mesh.Levels()[1:]
	return GenerateAt(seed, levels[seed%uint64(len(levels))])
}

// GenerateAt gives the schedule of a seed, with runs at a level.
func GenerateAt(seed uint64, level mesh.Consistency) Schedule {
	chance := rand.New(rand.NewPCG(seed, 7))
	s := Schedule{Seed: seed, Nodes: fewestNodes + chance.IntN(mostNodes-fewestNodes+1)}
	for i := range callsInAll {
		s.Calls = append(s.Calls, Call{
			At: millis(chance, lasting), Node: chance.IntN(s.Nodes), Named: chance.IntN(4) == 0,
			Policy: []string{"random", "random", "round-robin", "locality"}[chance.IntN(4)],
			job:    randomJob(chance, i, mostStages),
		})
	}
	reads := rand.New(rand.NewPCG(seed, 8))
	s.Level = level
	for i := range s.Calls {
		// A named call may be begun again, with reads of its own.
		if c := &s.Calls[i]; !c.Named && reads.IntN(3) > 0 {
			c.Reads, c.job = true, c.job.reading()
		}
	}
	at := millis(chance, 4*time.Second)
	for range chance.IntN(mostFaults + 1) {
		f := Fault{
			At: at, Lasts: 100*time.Millisecond + millis(chance, 5*time.Second),
			Verb: []Verb{Kill, Kill, Stop, Cut, Cut}[chance.IntN(5)], Nodes: []int{chance.IntN(s.Nodes)},
		}
		if chance.IntN(4) == 0 {
			f.Nodes = chance.Perm(s.Nodes)[:2]
		}
		s.Faults = append(s.Faults, f)
		at += f.Lasts + millis(chance, 3*time.Second)
	}
	if s.Level.Causal() {
		s.addCausal(reads)
	}
	return s
}

// addCausal adds many short runs that read what others have just written, and a
// network that brings it out of order.
func (s *Schedule) addCausal(chance *rand.Rand) {
	var jobs []job
	for i := range quickJobs {
		j := randomJob(chance, callsInAll+i, mostQuickStages).reading()
		j.quick = true
		jobs = append(jobs, j)
	}
	calls := quickCalls
	if s.Level == mesh.Transactional {
		calls /= 4 // they are in each other's way, and begin anew
	}
	for range calls {
		s.Calls = append(s.Calls, Call{
			At: millis(chance, burst), Node: chance.IntN(s.Nodes), Policy: []string{"random", "round-robin"}[chance.IntN(2)],
			Reads: true, job: jobs[chance.IntN(len(jobs))],
		})
	}
	for from := range s.Nodes {
		for to := range s.Nodes {
			if from != to && chance.IntN(3) == 0 {
				s.Slow = append(s.Slow, Slow{from, to, millis(chance, mostSlow)})
			}
		}
		s.Skew = append(s.Skew, millis(chance, 2*mostSkew)-mostSkew)
	}
}

// millis draws a time in whole milliseconds.
func millis(chance *rand.Rand, below time.Duration) time.Duration {
	return time.Duration(chance.Int64N(below.Milliseconds())) * time.Millisecond
}

// aftermath is how long after a fault the mesh may still be busy with it.
const aftermath = 10 * time.Second

// excuses reports whether faults explain that a call had no result: the node
// that was called is a victim, or more than one node was away about then. On a
// slow network a node that lives may seem to be away, too.
func (s *Schedule) excuses(node int, from, to time.Duration) bool {
	victims := min(len(s.Slow), 1)
	for _, f := range s.Faults {
		if f.about(from, to) {
			victims += len(f.Nodes)
			if slices.Contains(f.Nodes, node) {
				return true
			}
		}
	}
	return victims > 1
}

// quiet reports whether nothing befell any node about then.
func (s *Schedule) quiet(from, to time.Duration) bool {
	return len(s.Slow) == 0 && !slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.about(from, to) })
}

func (f Fault) about(from, to time.Duration) bool {
	return f.At <= to && from <= f.At+f.Lasts+aftermath
}

// String prints the whole schedule.
func (s *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d nodes, runs that read and write at %s\n", s.Seed, s.Nodes, s.Level)
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "+%-6s %s nodes %v for %v\n", f.At, f.Verb, f.Nodes, f.Lasts)
	}
	for _, w := range s.Slow {
		fmt.Fprintf(&b, "what node %d sends node %d takes %v longer\n", w.From, w.To, w.By)
	}
	for i, by := range s.Skew {
		fmt.Fprintf(&b, "the clock of node %d is off by %v\n", i, by)
	}
	for _, c := range s.Calls {
		named := ""
		if c.Named {
			named = ", named"
		}
		if c.Reads {
			named = ", reading"
		}
		fmt.Fprintf(&b, "+%-6s call %s through node %d, %s%s: %s\n", c.At, c.job.dag.Name, c.Node, c.Policy, named, c.job)
	}
	return b.String()
}

// String spells the DAG: stages, any-of stages with a "?", and edges.
func (j job) String() string {
	var words []string
	for _, s := range j.dag.Stages {
		word := s.Name
		if s.Any != nil {
			word += "?"
		}
		words = append(words, word+strings.Join(j.args[s.Name], ","))
	}
	for _, e := range j.dag.Edges {
		word := e.From + ":" + e.To
		if !e.When.IsZero() {
			word += "[" + e.When.String() + "]"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
