package mesh

import (
	"encoding/binary"

	"github.com/virga-mesh/virga/lattice"
)

// Record is a key and the cell that a node holds of it, deleted or not.
type Record struct {
	Key  Key
	Cell lattice.Cell
}

// Entry tells of a record without its bytes, for comparing what two nodes
// hold of a partition. Two keys of a partition may have the same ID.
type Entry struct {
	ID     uint64 // the first 8 bytes of the key's id
	Digest uint64 // of the key and the cell's canonical encoding; 0 if the cell is damaged
}

// Tombstone tells of the record of a deleted key, for forgetting it once all
// owners have it.
type Tombstone struct {
	Key    Key
	Digest uint64        // as in Entry
	Since  lattice.Stamp // of the delete
}

// Prefix is the id's first 8 bytes, in the order of ids.
func (id ID) Prefix() uint64 { return binary.BigEndian.Uint64(id[:8]) }
