package simmesh

import (
	"net/netip"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
)

// Partition cuts the nodes into sides that do not hear each other. Nodes that
// are not named, and all clients, are on the first side. It needs a simulated
// network.
func (m *Mesh) Partition(sides ...[]int) {
	var others [][]netip.Addr
	for _, side := range sides[1:] {
		hosts := make([]netip.Addr, len(side))
		for at, i := range side {
			hosts[at] = sim.HostIP(i + 1)
		}
		others = append(others, hosts)
	}
	m.options.Network.Partition(others...)
}

// Cut lets two nodes hear each other no more, while others hear both. It
// needs a simulated network.
func (m *Mesh) Cut(i, j int) { m.options.Network.Cut(sim.HostIP(i+1), sim.HostIP(j+1)) }

// Slow lets what node i sends node j take so much longer; 0: no longer.
func (m *Mesh) Slow(i, j int, by time.Duration) {
	m.options.Network.Slow(sim.HostIP(i+1), sim.HostIP(j+1), by)
}

// SlowToClient lets what node i sends a client take so much longer; 0: no
// longer. Clients have numbers in the order in which they were dialled, from 0 on.
func (m *Mesh) SlowToClient(i, client int, by time.Duration) {
	m.options.Network.Slow(sim.HostIP(i+1), sim.HostIP(firstClient+client), by)
}

// Heal ends a partition, and all cuts.
func (m *Mesh) Heal() { m.options.Network.Heal() }

// Hold keeps back all that a node says and is told, until Release, when it
// arrives. It needs a simulated network.
func (m *Mesh) Hold(i int) { m.options.Network.Hold(sim.HostIP(i + 1)) }

// Release ends what Hold began.
func (m *Mesh) Release(i int) { m.options.Network.Release(sim.HostIP(i + 1)) }
