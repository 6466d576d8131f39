package dht

import "github.com/virga-mesh/virga/mesh"

// Owners gives the n live nodes closest to the key's partition, the closest
// first; all of them when there are fewer. Nodes that drain are left out,
// unless all do. It answers from memory. The slice is shared: the caller
// must not change it.
func (d *DHT) Owners(key mesh.Key, n int) []mesh.NodeID {
	return d.PartitionOwners(key.Partition(), n)
}

// PartitionOwners is Owners for all keys of a partition.
func (d *DHT) PartitionOwners(p mesh.Partition, n int) []mesh.NodeID {
	return d.current.Load().owners.first(p, n)
}

// KnownOwners is PartitionOwners among all that are Known: who owns the
// partition when everyone is back. The slice is shared.
func (d *DHT) KnownOwners(p mesh.Partition, n int) []mesh.NodeID {
	return d.current.Load().knownOwners.first(p, n)
}

// Owns reports whether this node is among the n owners of key.
func (d *DHT) Owns(key mesh.Key, n int) bool { return d.OwnsPartition(key.Partition(), n) }

// OwnsPartition reports whether this node is among the n owners of a partition.
func (d *DHT) OwnsPartition(p mesh.Partition, n int) bool {
	return d.current.Load().owners.selfAmong(p, n)
}
