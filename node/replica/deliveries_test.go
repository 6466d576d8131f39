package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh"
)

func TestDeliveryScripts(t *testing.T) {
	golden.Scripts(t, "deliveries", func() func(string) string {
		d := newDeliveries(100*time.Millisecond, time.Second)
		start := time.Unix(0, 0)
		now := start
		return func(command string) string {
			verb, node, _ := strings.Cut(command, " ")
			peer, more, _ := strings.Cut(node, " ")
			switch verb {
			case "owe":
				d.Owe(mesh.NodeID(node), now)
			case "up":
				d.PeerUp(mesh.NodeID(node), now)
			case "delivered":
				d.Delivered(mesh.NodeID(peer), more == "more", now)
			case "undelivered":
				d.Undelivered(mesh.NodeID(node), now)
			case "ready":
				return fmt.Sprintf("%v: send to %q", now.Sub(start), names(d.Ready(now)))
			case "wait": // until something is due
				next, ok := d.Next()
				if !ok {
					return "nothing is due"
				}
				if next.After(now) {
					now = next
				}
				return fmt.Sprintf("%v: send to %q", now.Sub(start), names(d.Ready(now)))
			default:
				return "unknown command " + verb
			}
			return ""
		}
	})
}

func names(nodes []mesh.NodeID) []string {
	var names []string
	for _, node := range nodes {
		names = append(names, string(node))
	}
	return names
}

// Whatever happens, a node that is owed something is either being sent to or
// due at a time that Next announces, and never sent to twice at once.
func TestDeliveriesForgetNobody(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	d := newDeliveries(time.Millisecond, 8*time.Millisecond)
	now := time.Unix(0, 0)
	owed := map[mesh.NodeID]int{}
	sending := map[mesh.NodeID]int{} // what the batch under way holds
	for range 50000 {
		node := mesh.NodeID(fmt.Sprint(rng.IntN(4)))
		batch, isSending := sending[node]
		switch rng.IntN(5) {
		case 0:
			owed[node]++
			d.Owe(node, now)
		case 1:
			d.PeerUp(node, now)
		case 2:
			if isSending {
				delete(sending, node)
				owed[node] -= batch
				d.Delivered(node, false, now)
			}
		case 3:
			if isSending {
				delete(sending, node)
				d.Undelivered(node, now)
			}
		case 4:
			now = now.Add(time.Duration(rng.IntN(4)) * time.Millisecond)
			for _, ready := range d.Ready(now) {
				if _, twice := sending[ready]; twice {
					t.Fatalf("sent to %s twice at once", ready)
				}
				sending[ready] = owed[ready]
			}
		}
		for node, n := range owed {
			_, isSending := sending[node]
			if n > 0 && !isSending && !dueFor(d, node) {
				t.Fatalf("node %s is owed %d deltas and forgotten", node, n)
			}
		}
	}
}

func dueFor(d *deliveries, node mesh.NodeID) bool {
	to := d.nodes[node]
	next, ok := d.Next()
	return to != nil && ok && !next.After(to.due)
}
