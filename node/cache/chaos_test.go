package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Owners change keys while requests and replies are lost, connections end,
// owners start anew and caches let go. What a cache gives is never older than
// a lease, and, once the faults have ended, never older than a few epochs.
func TestChaos(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			chaos(t, seed)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

const chaosLease = 2 * time.Second

func chaos(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newTestMesh()
	faults := rand.New(rand.NewPCG(seed, 1))
	drops := 0.3
	m.fault = func(mesh.NodeID, wire.Message, bool) error {
		m.mu.Lock()
		lost := faults.Float64() < drops
		delay := time.Duration(faults.Int64N(int64(5 * time.Millisecond)))
		m.mu.Unlock()
		time.Sleep(delay)
		if lost {
			return mesh.Errorf(mesh.DeadlineExceeded, "call", "lost")
		}
		return nil
	}
	options := PublisherOptions{Lease: chaosLease}
	a := m.addOwner(t, "a", options)
	c := m.addCache(t, "c", Options{Bytes: 4 << 10, AttemptTimeout: 20 * time.Millisecond})
	written := map[mesh.Key][]time.Time{} // when each element was added
	check := func(k mesh.Key, age time.Duration) {
		cell, ok := c.Get(k)
		if !ok {
			return
		}
		v, _ := cell.Value()
		for i, at := range written[k] {
			if !v.Contains(fmt.Sprint(i)) && time.Since(at) > age {
				t.Errorf("element %d of %v was added %v ago, and the cache does not have it", i, k, time.Since(at))
			}
		}
	}
	for range 400 {
		k := key(fmt.Sprint("k", rng.IntN(20)))
		switch n := rng.IntN(100); {
		case n < 40:
			a.merge(k, setOf(fmt.Sprint(len(written[k]))))
			written[k] = append(written[k], time.Now())
		case n < 96:
			if _, ok := c.Get(k); !ok && len(written[k]) > 0 {
				_, _, _ = c.Fetch(t.Context(), k, []mesh.NodeID{"a"}) // fails at times
			}
			check(k, chaosLease+50*time.Millisecond)
		case n < 98:
			c.Drop("a")
		default: // the owner is killed and started anew: its subscriptions are gone
			a = m.addOwnerOf(t, "a", options, a.copied())
		}
		time.Sleep(time.Duration(rng.Int64N(int64(30 * time.Millisecond))))
	}
	m.mu.Lock()
	drops = 0
	m.mu.Unlock()
	time.Sleep(chaosLease)
	for k := range written {
		check(k, chaosLease)
	}
}
