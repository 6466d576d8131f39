package meshtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
)

// Simulation is a mesh on a simulated network, with its faults.
type Simulation struct {
	*Mesh
	network    *sim.Network
	conditions sim.Conditions
}

// Simulate runs test on a mesh of n nodes that a simulated network connects,
// under virtual time: clocks advance only when everybody waits, so that
// timeouts cost nothing. Packets take a millisecond until SetDelay says
// otherwise. It must not be called from within a bubble of testing/synctest,
// and the test itself must not use real sockets.
//
// Chance (loss, jitter) comes from a seed; the nodes' keys, and the order in
// which goroutines run, do not, so that two runs are alike and not the same.
func Simulate(t *testing.T, n int, test func(t *testing.T, m *Simulation), given ...Option) {
	t.Helper()
	o := gather(given)
	moduleCache := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &Simulation{conditions: sim.Conditions{Delay: time.Millisecond}}
		s.network = sim.NewNetwork(o.seed, s.conditions)
		setup := o.mesh(n, moduleCache)
		setup.Network = s.network
		s.Mesh = start(t, virtualTimeout, setup)
		test(t, s)
	})
}

// Kill ends the ith node as kill -9 would: nobody is told, and it is left
// with what it had written.
func (s *Simulation) Kill(i int) {
	s.t.Helper()
	s.must("kill a node", s.mesh.Kill(i))
}

// Partition cuts the nodes into sides that do not hear each other. Nodes that
// are not named, and all clients that dialled, are on the first side. Another
// Partition replaces it.
func (s *Simulation) Partition(sides ...[]int) {
	s.t.Helper()
	if len(sides) < 2 {
		s.t.Fatalf("meshtest: a partition of %d sides: expected at least 2", len(sides))
	}
	s.mesh.Partition(sides...)
}

// Heal ends a partition. Settle waits until the nodes have found one another.
func (s *Simulation) Heal() { s.mesh.Heal() }

// SetLoss sets how likely a packet is lost, from 0 to 1. Beyond 0.3 or so
// connections no longer stand.
func (s *Simulation) SetLoss(probability float64) {
	s.conditions.Loss = probability
	s.network.SetConditions(s.conditions)
}

// SetDelay sets how long a packet takes from node to node, and what is added
// to it at random, up to jitter; with jitter, packets overtake each other.
func (s *Simulation) SetDelay(delay, jitter time.Duration) {
	s.conditions.Delay, s.conditions.Jitter = delay, jitter
	s.network.SetConditions(s.conditions)
}
