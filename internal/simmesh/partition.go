package simmesh

import (
	"net/netip"

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

// Heal ends a partition.
func (m *Mesh) Heal() { m.options.Network.Heal() }
