package replica

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Clients count through any node and retry through others, several attempts
// of one increment at once at times, while requests and replies are lost and
// nodes are cut off and killed, with what they alone had, and come back. What
// was acknowledged is counted exactly once, and nothing is counted twice.
func TestRetriedIncrementsCountOnce(t *testing.T) {
	if *seed != 0 {
		retries(t, *seed)
		return
	}
	for range *seeds {
		retries(t, rand.Uint64())
	}
}

func retries(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Logf("replay with: go test ./node/replica -run TestRetriedIncrementsCountOnce -seed %d", seed)
			}
		}()
		rng := rand.New(rand.NewPCG(seed, 0))
		m := newTestMesh(t, 3)
		if rng.IntN(2) == 0 {
			time.Sleep(firmAfter) // from now on records of writes go
		}
		m.disturb(seed, rng.Float64()*0.1)
		done := make(chan struct{})
		var faults sync.WaitGroup
		faults.Go(func() { breakThings(m, rng, done) })
		counts := countEverywhere(m, seed)
		close(done)
		faults.Wait()
		m.lose(0)
		counts.check(t, m)
	})
}

// counts are how many increments of each key clients tried, and how many were
// acknowledged.
type counts struct {
	mu            sync.Mutex
	issued, acked map[mesh.Key]int
}

func countEverywhere(m *testMesh, seed uint64) *counts {
	c := &counts{issued: map[mesh.Key]int{}, acked: map[mesh.Key]int{}}
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client+2)))
			for i := range 40 {
				k := key(fmt.Sprint("shared-", rng.IntN(2)))
				if rng.IntN(2) == 0 {
					k = key(fmt.Sprint("own-", client, "-", i))
				}
				acked := m.countOnce(k, fmt.Sprint("write-", client, "-", i), rng)
				c.mu.Lock()
				c.issued[k]++
				if acked {
					c.acked[k]++
				}
				c.mu.Unlock()
				pause(rng, 50*time.Millisecond)
			}
		})
	}
	clients.Wait()
	return c
}

// countOnce makes up to five attempts of one increment, at random nodes. One
// that is given up early may go on beside the next.
func (m *testMesh) countOnce(k mesh.Key, id string, rng *rand.Rand) bool {
	began := time.Now()
	for attempt := range 5 {
		n := m.nodes[rng.IntN(len(m.nodes))]
		o := WriteOptions{ID: id}
		if attempt > 0 {
			o.RetryAge = time.Since(began) + time.Millisecond
		}
		patience := 20*time.Millisecond + time.Duration(rng.Int64N(int64(600*time.Millisecond)))
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := n.now().Put(ctx, k, lattice.PNCounterKind, lattice.IncOp(1), o)
		cancel()
		if err == nil {
			return true
		}
	}
	return false
}

func (c *counts) check(t *testing.T, m *testMesh) {
	m.eventually("all debts are paid", func() bool { return !m.owes() })
	total := 0
	for k, issued := range c.issued {
		acked := c.acked[k]
		total += acked
		var got int64
		v, err := m.nodes[0].Get(t.Context(), k, 3)
		if err == nil {
			got, _ = v.Count()
		} else if mesh.KindOf(err) != mesh.NotFound {
			t.Errorf("reading %v: %v", k, err)
		}
		if got < int64(acked) || got > int64(issued) {
			t.Errorf("%v counts %d, of %d increments of which %d were acknowledged", k, got, issued, acked)
		}
	}
	if total < 40 {
		t.Errorf("only %d increments were acknowledged: the schedule tests nothing", total)
	}
}

func TestTheNodesReadQuorum(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	owners[2].cut(true)
	ack, err := owners[0].set(key("k"), "new", WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[2].cut(false)
	owners[2].ReadQuorum = 2
	if got := owners[2].get(key("k"), 0); got != "new" {
		t.Errorf("with a read quorum of 2 the owner that missed the write reads %s", got)
	}
}
