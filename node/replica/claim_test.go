package replica

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

// The scripts drive the memories of several owners of a key, whose ids are in
// alphabetical order. Time stands still but for "wait".
func TestClaimScripts(t *testing.T) {
	golden.Scripts(t, "claim", func() func(string) string {
		s := &claimScript{now: time.Unix(0, 0), memories: map[mesh.NodeID]*writeMemory{}}
		return s.do
	})
}

type claimScript struct {
	now      time.Time
	owners   []mesh.NodeID
	memories map[mesh.NodeID]*writeMemory
}

func (s *claimScript) do(command string) string {
	words := strings.Fields(command)
	if words[0] == "wait" {
		d, err := time.ParseDuration(words[1])
		if err != nil {
			return err.Error()
		}
		s.now = s.now.Add(d)
		return ""
	}
	node := mesh.NodeID(words[1])
	m := s.memories[node]
	var id writeID
	if len(words) > 2 {
		id = writeID{words[2], key("k")}
	}
	switch words[0] {
	case "owner": // with how many writes it remembers
		bound := 0
		fmt.Sscan(words[2], &bound)
		s.owners = append(s.owners, node)
		s.memories[node] = newWriteMemory(bound, s.now)
	case "restart":
		s.memories[node] = newWriteMemory(m.bound, s.now)
	case "first":
		return fmt.Sprint(m.First(id))
	case "arrive":
		if _, uncontested := m.Arrive(id, s.now); uncontested {
			return "uncontested"
		}
	case "applied", "failed": // as one that may count, unless "plain" follows
		m.Settle(id, words[0] == "applied", len(words) < 4, s.now)
	case "claim":
		m.Claim(id, s.now)
	case "unclaim":
		m.Unclaim(id)
	case "ask", "vote":
		return s.ask(m, node, id, words)
	case "grant":
		return fmt.Sprint(m.Grant(id))
	default:
		return "unknown command " + words[0]
	}
	return ""
}

// ask lets an owner ask all others but those that are silent, and decides; with
// "vote" by the votes of most owners.
func (s *claimScript) ask(m *writeMemory, self mesh.NodeID, id writeID, words []string) string {
	age, err := time.ParseDuration(argument(strings.Join(words, " "), "age"))
	if err != nil {
		return err.Error()
	}
	silent := argument(strings.Join(words, " "), "silent")
	since, gaveWay := m.Own(id)
	c := claim{self: self, age: age, memory: s.now.Sub(since), gaveWay: gaveWay}
	var said []testimony
	var out []string
	for _, owner := range s.owners {
		switch {
		case owner == self:
		case strings.Contains(silent, string(owner)):
			said = append(said, testimony{owner: owner})
			out = append(out, string(owner)+" is silent")
		default:
			stands, since := s.memories[owner].Answer(id, self, s.now)
			said = append(said, testimony{owner: owner, answered: true, standing: stands, memory: s.now.Sub(since)})
			out = append(out, fmt.Sprintf("%s: %s", string(owner), stands))
		}
	}
	decision := c.Decide(said)
	if words[0] == "vote" {
		decision = c.DecideByVotes(said, s.owners, len(s.owners)/2+1)
	}
	return strings.Join(out, ", ") + ": " + decision.String()
}

// Whatever the order in which two owners claim a write, ask and are granted,
// at most one of them applies it.
func TestOneOfTwoClaimsIsGranted(t *testing.T) {
	type state struct {
		claimed, granted bool
	}
	names := []mesh.NodeID{"a", "b", "c"}
	var walk func(steps []int, depth int)
	replay := func(steps []int) map[mesh.NodeID]*state {
		memories, states := map[mesh.NodeID]*writeMemory{}, map[mesh.NodeID]*state{}
		now := time.Unix(0, 0)
		for _, n := range names {
			memories[n], states[n] = newWriteMemory(8, now), &state{}
		}
		id := writeID{"w", key("k")}
		for _, step := range steps {
			n := names[step]
			m, st := memories[n], states[n]
			switch {
			case !st.claimed:
				if step == 0 && m.First(id) { // the first attempt is the first owner's; its message may be late
					st.granted = true
				} else {
					m.Claim(id, now)
				}
				st.claimed = true
			case !st.granted:
				since, gaveWay := m.Own(id)
				c := claim{self: n, memory: now.Sub(since), gaveWay: gaveWay}
				var said []testimony
				for _, other := range names {
					if other != n {
						stands, _ := memories[other].Answer(id, n, now)
						said = append(said, testimony{owner: other, answered: true, standing: stands})
					}
				}
				if c.Decide(said) == apply && m.Grant(id) {
					st.granted = true
				}
			}
		}
		return states
	}
	walk = func(steps []int, depth int) {
		granted := 0
		for _, st := range replay(steps) {
			if st.granted {
				granted++
			}
		}
		if granted > 1 {
			t.Fatalf("%d owners apply the write after the steps %v", granted, steps)
		}
		if depth == 0 {
			return
		}
		for n := range names {
			walk(append(steps[:len(steps):len(steps)], n), depth-1)
		}
	}
	walk(nil, 7)
}

func TestARetryThroughAnotherOwnerIsTheSameWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		owners, _ := m.owners(key("k"))
		ack, err := owners[0].inc(key("k"), WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
		owners[2].cut(true) // so that the first attempt falls short of 3, and is owed to it
		if _, err := owners[0].inc(key("k"), WriteOptions{ID: "w", Quorum: 3}); err == nil {
			t.Fatal("acknowledged by an owner that cannot be reached")
		}
		owners[2].cut(false)
		m.eventually("the debt is paid, with the id", func() bool { return !m.owes() })
		owners[0].kill() // which forgets what it coordinated
		owners[0].start()
		for _, at := range []*testNode{owners[2], owners[1], owners[0]} {
			ack, err := at.inc(key("k"), WriteOptions{ID: "w", Quorum: 3, RetryAge: time.Second})
			mustAck(t, ack, err, 3)
		}
		for _, n := range owners {
			if got := n.holds(key("k")); got != "2" {
				t.Errorf("%s counts %s, want 2", n.id, got)
			}
		}
	})
}
