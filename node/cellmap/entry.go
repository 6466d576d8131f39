package cellmap

import (
	"sync/atomic"

	"github.com/virga-mesh/virga/lattice"
)

// entry is a cell and what a map knows of it. There are millions of them: it
// is 56 bytes where M is one, and what can be computed is not kept.
type entry[M any] struct {
	name  string // see namespaces
	cell  lattice.Cell
	flags uint32 // read and changed atomically; of a vacant one, the next vacant entry and 1
	space uint16
	state uint8
	meta  M
}

// flags of an entry, which readers set.
const (
	accessed = 1 << iota // since the hand passed
	shared               // handed out, so that it must be copied before it is changed
)

// states of an entry, guarded by the shard's lock.
const (
	vacant  = 1 << iota // the entry is none
	pinned              // it must not be forgotten
	listed              // it is among the shard's pins
	leaving             // it was taken, and is not done yet
	weighed             // all its bytes count as pinned
)

// held are the states in which an entry must not be forgotten.
const held = pinned | leaving

// set writes only where it must, so that readers do not contend for the line.
func (e *entry[M]) set(flags uint32) {
	if atomic.LoadUint32(&e.flags)&flags != flags {
		atomic.OrUint32(&e.flags, flags)
	}
}

func (e *entry[M]) has(flags uint32) bool { return atomic.LoadUint32(&e.flags)&flags != 0 }

func (e *entry[M]) clear(flags uint32) {
	if e.has(flags) {
		atomic.AndUint32(&e.flags, ^flags)
	}
}
