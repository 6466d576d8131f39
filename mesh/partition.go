package mesh

import "strconv"

// Partition is a part of the Kademlia space: the ids that share their first
// PartitionBits bits. All keys of a partition have the same owners, so that
// it moves between nodes, and is compared between them, as one.
type Partition uint16

// The number of partitions. With N nodes and R replicas a node owns about
// Partitions·R/N of them.
const (
	PartitionBits = 12
	Partitions    = 1 << PartitionBits
)

// String is the partition's number in hexadecimal.
func (p Partition) String() string { return strconv.FormatUint(uint64(p)+Partitions, 16)[1:] }

// ID is the first point of the partition, to which its owners are closest.
func (p Partition) ID() ID {
	at := uint16(p) << (16 - PartitionBits)
	return ID{byte(at >> 8), byte(at)}
}

// Partition is the one that the id lies in.
func (id ID) Partition() Partition {
	return Partition((uint16(id[0])<<8 | uint16(id[1])) >> (16 - PartitionBits))
}

// Partition is the one that the key lies in.
func (k Key) Partition() Partition { return k.ID().Partition() }
