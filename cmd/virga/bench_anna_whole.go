package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

const (
	benchReplicas = 3                     // the nodes' default
	lookEvery     = 20 * time.Millisecond // at how nodes stand
)

// each connects to all nodes but those left out, and calls do with the clients, by node.
func (m *benchMesh) each(ctx context.Context, but []int, do func(map[int]*sdk.Client) error) (err error) {
	clients := map[int]*sdk.Client{}
	defer func() {
		for _, client := range clients {
			err = errors.Join(err, client.Close())
		}
	}()
	for i := range m.nodes {
		if slices.Contains(but, i) {
			continue
		}
		if clients[i], err = m.dial(ctx, i); err != nil {
			delete(clients, i)
			return err
		}
	}
	return do(clients)
}

// whole waits until so many live nodes are settled and hold the same, partition
// by partition, as the other owners. Nodes left out do not live.
func (m *benchMesh) whole(ctx context.Context, live int, but ...int) error {
	return m.each(ctx, but, func(clients map[int]*sdk.Client) error {
		if len(clients) != live {
			return mesh.Errorf(mesh.Internal, "bench", "%d nodes are looked at: expected %d", len(clients), live)
		}
		for {
			settled, err := m.settled(ctx, clients)
			if err != nil {
				return err
			}
			if settled {
				if equal, err := m.equal(ctx, clients); equal || err != nil {
					return err
				}
			}
			if err := rest(ctx, lookEvery); err != nil {
				return err
			}
		}
	})
}

// settled reports whether nodes have taken over all they own, and sent all they were to send.
func (m *benchMesh) settled(ctx context.Context, clients map[int]*sdk.Client) (bool, error) {
	for _, client := range clients {
		stats, err := client.Stats(ctx, 0)
		if err != nil || stats.Unsettled > 0 || stats.Sending > 0 {
			return false, err
		}
	}
	return true, nil
}

// equal reports whether the owners of each partition hold the same.
func (m *benchMesh) equal(ctx context.Context, clients map[int]*sdk.Client) (bool, error) {
	if len(clients) == 1 {
		return true, nil // whose digests would take it a look at all keys
	}
	digests := map[mesh.NodeID]*sdk.Digests{}
	var live []mesh.NodeID
	for i, client := range clients {
		held, err := client.Digests(ctx)
		if err != nil {
			return false, err
		}
		digests[m.ids[i]] = held
		live = append(live, m.ids[i])
	}
	for p := range mesh.Partition(mesh.Partitions) {
		owners := m.closest(live, p)
		for _, owner := range owners[1:] {
			if digests[owner][p] != digests[owners[0]][p] {
				return false, nil
			}
		}
	}
	return true, nil
}

// closest gives the owners of a partition among nodes, the closest first.
func (m *benchMesh) closest(nodes []mesh.NodeID, p mesh.Partition) []mesh.NodeID {
	sorted := slices.SortedFunc(slices.Values(nodes), func(a, b mesh.NodeID) int {
		return cmp.Or(mesh.CompareDistance(p.ID(), a.ID(), b.ID()), cmp.Compare(a, b))
	})
	return sorted[:min(cmp.Or(m.replicas, benchReplicas), len(sorted))]
}

// owners gives the owners of a register of the data set.
func (m *benchMesh) owners(name string) []mesh.NodeID {
	return m.closest(m.ids, mesh.Key{Namespace: mesh.DefaultNamespace, Name: name}.Partition())
}
