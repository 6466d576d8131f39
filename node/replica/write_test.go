package replica

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestWriteScripts(t *testing.T) {
	runScripts(t, "write", func() func(string) string {
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
				out += fmt.Sprintf(": %d can hold it", w.reach)
			}
			return out
		}
	})
}

func scriptedWrite(command string) *write {
	need, _ := strconv.Atoi(argument(command, "need"))
	var owners []mesh.NodeID
	for name := range strings.SplitSeq(argument(command, "owners"), ",") {
		if name != "" {
			owners = append(owners, mesh.NodeID(name))
		}
	}
	return newWrite(need, owners)
}

// event is one thing that can happen to a write.
type event struct {
	what  string // ack, lost, dominated
	owner mesh.NodeID
}

// oracle says from the whole history, in the most naive way, how a write ended.
func oracle(need int, owners []mesh.NodeID, history []event) (outcome, map[mesh.NodeID]bool) {
	owed := map[mesh.NodeID]bool{}
	heard := map[mesh.NodeID]bool{}
	holders := 0
	judge := func(dominated bool) outcome {
		switch {
		case holders >= need:
			return acked
		case dominated:
			return again
		case holders+len(owners)-len(heard) < need:
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
			holders++
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
		owners := []mesh.NodeID{"a", "b", "c", "d", "e"}[:rng.IntN(6)]
		need := 1 + rng.IntN(5)
		w := newWrite(need, owners)
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
		want, wantOwed := oracle(need, owners, history)
		if w.outcome != want || fmt.Sprint(owed) != fmt.Sprint(wantOwed) {
			t.Fatalf("need %d of owners %v, %v: got %v owed %v, want %v owed %v", need, owners, history, w.outcome, owed, want, wantOwed)
		}
	}
}
