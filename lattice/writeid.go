package lattice

import "crypto/sha256"

// WriteID stands for the id of a write, which each attempt of it has: the same
// at all nodes and in all processes. The zero WriteID is none.
//
// It is half a SHA-256. Ids are compared only among the open records of one
// counter, some hundreds at most: that two of them agree by accident has odds
// of about 1 to 2^111 for a thousand.
type WriteID [16]byte

// NewWriteID is the WriteID of an id; of an empty one it is zero.
func NewWriteID(id string) (w WriteID) {
	if id != "" {
		sum := sha256.Sum256([]byte(id))
		copy(w[:], sum[:])
	}
	return w
}

// IsZero reports whether w is none.
func (w WriteID) IsZero() bool { return w == WriteID{} }

// Fate is what a writer knows of how a write of its own went.
type Fate uint8

const (
	// FateUnknown is that it does not remember.
	FateUnknown Fate = iota
	// FateOpen is that the write is under way, or fell short: it may be that
	// this writer alone has it, and that it is made again elsewhere.
	FateOpen
	// FateFirm is that whoever makes the write again finds out that it was
	// made: so many others have it.
	FateFirm
)
