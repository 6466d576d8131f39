package replica

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var (
	seeds = flag.Int("seeds", 10, "how many random schedules TestChaos runs")
	seed  = flag.Uint64("seed", 0, "the one schedule that TestChaos runs; 0: random ones")
)

// Clients write through any node while requests and replies are lost and
// nodes are cut off and killed. Whatever was acknowledged must be there for a
// quorum to read, and a full read must leave all owners equal.
func TestChaos(t *testing.T) {
	if *seed != 0 {
		chaos(t, *seed)
		return
	}
	for range *seeds {
		chaos(t, rand.Uint64())
	}
}

func chaos(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("replay with: go test ./node/replica -run TestChaos -seed %d", seed)
			}
		}()
		rng := rand.New(rand.NewPCG(seed, 0))
		m := newTestMesh(t, 3)
		m.disturb(seed, rng.Float64()*0.1)
		done := make(chan struct{})
		var faults sync.WaitGroup
		faults.Go(func() { breakThings(m, rng, done) })
		acked := writeEverywhere(m, seed)
		close(done)
		faults.Wait()
		m.lose(0)
		checkAcked(t, m, acked)
	})
}

// disturb makes that messages take their time, and some are lost.
func (m *testMesh) disturb(seed uint64, drops float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rng = rand.New(rand.NewPCG(seed, 1))
	m.drops, m.delay = drops, 20*time.Millisecond
}

// breakThings cuts off or kills one node after another until done. Of some the
// others notice that they are away, and go on without them.
func breakThings(m *testMesh, rng *rand.Rand, done <-chan struct{}) {
	for {
		n := m.nodes[rng.IntN(len(m.nodes))]
		kill := rng.IntN(2) == 0
		if kill {
			n.kill()
		} else {
			n.cut(true)
		}
		pause(rng, 500*time.Millisecond)
		if rng.IntN(2) == 0 {
			n.notice(false)
			pause(rng, time.Second)
		}
		if kill {
			n.start()
		} else {
			n.cut(false)
		}
		n.notice(true)
		pause(rng, 100*time.Millisecond)
		select {
		case <-done:
			return
		default:
		}
	}
}

func pause(rng *rand.Rand, longest time.Duration) {
	time.Sleep(time.Duration(rng.Int64N(int64(longest))))
}

// kill ends the node as SIGKILL does: what was handed to the operating system stays.
func (n *testNode) kill() { n.crash(100) }

// crash ends the node as a loss of power does: of what was not synced some stays.
func (n *testNode) crash(unsyncedPercent int) {
	disk := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsyncedPercent, RNG: rand.New(rand.NewPCG(0, 0))})
	n.halt()
	n.fs = disk
}

const chaosKeys = 4

// writeEverywhere adds elements through all nodes and gives, for each key, those acknowledged.
func writeEverywhere(m *testMesh, seed uint64) map[mesh.Key][]string {
	var mu sync.Mutex
	acked := map[mesh.Key][]string{}
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client+2)))
			for i := range 60 {
				n := m.nodes[rng.IntN(len(m.nodes))]
				k := key(fmt.Sprint("k", rng.IntN(chaosKeys)))
				element := fmt.Sprintf("%d-%d", client, i)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				if _, err := n.now().Put(ctx, k, lattice.ORSetKind, lattice.AddOp(element), WriteOptions{}); err == nil {
					mu.Lock()
					acked[k] = append(acked[k], element)
					mu.Unlock()
				}
				cancel()
				pause(rng, 50*time.Millisecond)
			}
		})
	}
	clients.Wait()
	return acked
}

func checkAcked(t *testing.T, m *testMesh, acked map[mesh.Key][]string) {
	total := 0
	for k, elements := range acked {
		total += len(elements)
		for _, n := range m.nodes {
			v, err := n.Get(t.Context(), k, 2)
			if err != nil {
				t.Errorf("%s reads %v of %v", n.id, err, k)
				continue
			}
			for _, e := range elements {
				if !v.Contains(e) {
					t.Errorf("%s was acknowledged as an element of %v, and a quorum does not have it", e, k)
				}
			}
		}
		m.converge(k)
	}
	if total < 20 {
		t.Errorf("only %d writes were acknowledged: the schedule tests nothing", total)
	}
}

// converge reads from all owners and waits until they hold the same bytes.
func (m *testMesh) converge(k mesh.Key) {
	m.eventually(fmt.Sprintf("the owners of %v are equal", k), func() bool {
		m.nodes[0].get(k, 3)
		first, _, _ := m.nodes[0].store.Get(k)
		for _, n := range m.nodes[1:] {
			cell, _, err := n.store.Get(k)
			if err != nil || string(cell.AppendBinary(nil)) != string(first.AppendBinary(nil)) {
				return false
			}
		}
		return true
	})
}
