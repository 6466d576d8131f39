package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestWriteScripts(t *testing.T) {
	golden.Scripts(t, "write", func() func(string) string {
		var w *write
		return func(command string) string {
			verb, rest, _ := strings.Cut(command, " ")
			node, level, _ := strings.Cut(rest, " ")
			out := ""
			switch verb {
			case "write":
				w = scriptedWrite(command)
			case "ack":
				d, err := mesh.ParseDurability(level)
				if err != nil {
					return err.Error()
				}
				w.Acked(mesh.NodeID(node), d)
			case "lost":
				if w.Lost(mesh.NodeID(node)) {
					out = "owed to " + node + ", "
				}
			case "dominated":
				w.Dominated(mesh.NodeID(node))
			case "not-owner":
				w.NotOwner(mesh.NodeID(node))
			case "expire":
				w.Expire()
			default:
				return "unknown command " + verb
			}
			out += w.outcome.String()
			switch w.outcome {
			case acked:
				out += fmt.Sprintf(": %d hold it, %v", w.ack.Replicas, w.ack.Durability)
			case short:
				out += ": " + w.shortfall()
			}
			return out
		}
	})
}

func scriptedWrite(command string) *write {
	need, _ := strconv.Atoi(argument(command, "need"))
	q := quorum{owners: nodesOf(argument(command, "owners")), known: nodesOf(argument(command, "known")), need: need}
	q.ofKnown, _ = strconv.Atoi(argument(command, "of-known"))
	return newWrite(q)
}

func nodesOf(list string) (nodes []mesh.NodeID) {
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			nodes = append(nodes, mesh.NodeID(name))
		}
	}
	return nodes
}

// event is one thing that can happen to a write.
type event struct {
	what  string // ack, lost, dominated
	owner mesh.NodeID
}

// oracle says from the whole history, in the most naive way, how a write ended.
func oracle(q quorum, history []event) (outcome, map[mesh.NodeID]bool) {
	owed := map[mesh.NodeID]bool{}
	heard := map[mesh.NodeID]bool{}
	holders := map[mesh.NodeID]bool{}
	// enough reports whether a set of owners would be.
	enough := func(in func(mesh.NodeID) bool) bool {
		holders, known := 0, 0
		for _, owner := range q.owners {
			if !in(owner) {
				continue
			}
			holders++
			if slices.Contains(q.known, owner) {
				known++
			}
		}
		return holders >= q.need && known >= q.ofKnown
	}
	judge := func(dominated bool) outcome {
		switch {
		case enough(func(owner mesh.NodeID) bool { return holders[owner] }):
			return acked
		case dominated:
			return again
		case !enough(func(owner mesh.NodeID) bool { return holders[owner] || !heard[owner] }):
			return short
		}
		return pending
	}
	result := judge(false)
	for _, e := range history {
		if heard[e.owner] {
			continue
		}
		heard[e.owner] = true
		switch e.what {
		case "ack":
			holders[e.owner] = true
		case "lost":
			owed[e.owner] = true
		}
		if result == pending {
			result = judge(e.what == "dominated")
		}
	}
	return result, owed
}

func TestWriteAgreesWithTheOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		nodes := []mesh.NodeID{"a", "b", "c", "d", "e", "f"}
		owners := nodes[:rng.IntN(6)]
		q := quorum{owners: owners, known: nodes[rng.IntN(3):][:3], need: 1 + rng.IntN(5), ofKnown: rng.IntN(4)}
		w := newWrite(q)
		var history []event
		owed := map[mesh.NodeID]bool{}
		for range rng.IntN(8) {
			if len(owners) == 0 {
				break
			}
			e := event{[]string{"ack", "lost", "dominated"}[rng.IntN(3)], owners[rng.IntN(len(owners))]}
			history = append(history, e)
			before := w.outcome
			switch e.what {
			case "ack":
				w.Acked(e.owner, mesh.Logged)
			case "lost":
				if w.Lost(e.owner) {
					owed[e.owner] = true
				}
			case "dominated":
				w.Dominated(e.owner)
			}
			if before != pending && w.outcome != before {
				t.Fatalf("outcome went from %v to %v in %v", before, w.outcome, history)
			}
		}
		want, wantOwed := oracle(q, history)
		if w.outcome != want || fmt.Sprint(owed) != fmt.Sprint(wantOwed) {
			t.Fatalf("%+v, %v: got %v owed %v, want %v owed %v", q, history, w.outcome, owed, want, wantOwed)
		}
	}
}
