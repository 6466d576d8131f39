package mesh

import (
	"fmt"

	"github.com/virga-mesh/virga/lattice"
)

// Durability says how safe a replica's copy of a write is when it
// acknowledges. The numbers are part of the wire format.
type Durability uint8

// The levels of durability, weakest first.
const (
	DefaultDurability Durability = 0 // whatever the node is configured for
	Memory            Durability = 1 // held in memory; lost with the process
	Logged            Durability = 2 // written to the log, not synced; survives a killed process
	Synced            Durability = 3 // synced to the disk; survives a loss of power
)

var durabilityNames = [...]string{"default", "memory", "logged", "synced"}

// String is the level's name.
func (d Durability) String() string {
	if int(d) < len(durabilityNames) {
		return durabilityNames[d]
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// ParseDurability reads a level's name.
func ParseDurability(s string) (Durability, error) {
	for d, name := range durabilityNames {
		if s == name {
			return Durability(d), nil
		}
	}
	return 0, Errorf(Invalid, "parse durability", "durability %q: expected memory, logged or synced", s)
}

// Ack says what a write had reached when it was answered.
type Ack struct {
	Replicas   int        // owners that hold it
	Durability Durability // the weakest among them
}

// Merged says what the merge of a delta did to a node's own copy of a key.
type Merged struct {
	Grew       bool       // the copy holds something that it did not hold before
	Dominated  bool       // the key was deleted after the delta was made, which had no effect
	Created    bool       // there was no copy before
	Durability Durability // how safe the copy is
}

// KeyInfo describes a key in a list.
type KeyInfo struct {
	Name string
	Kind lattice.Kind
	Size int64 // of the value's encoding, in bytes
}
