package txn

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Write is one write of a transaction: a register is set, or a key deleted.
type Write struct {
	Key     mesh.Key
	Value   []byte // as lattice.SetOp takes it; of a delete it does not count
	Deletes bool
}

// Store is the replicated store. Unavailable, of any method, leaves open what
// has happened.
type Store interface {
	// Latest is the latest stamp that the key of a write bears, as most owners know
	// it. KindMismatch: the key holds something that cannot be set.
	Latest(ctx context.Context, w Write) (lattice.Stamp, error)
	// Write makes a write through the key's owners, with a stamp that was told, or,
	// where at is zero, with one of its owner; needs is what it depends on. It
	// returns once most owners have it. made says which write it was. Made again it
	// changes nothing but its needs, which grow, and that it is sealed once it was.
	// KindMismatch: something that cannot be set has taken the key meanwhile.
	Write(ctx context.Context, w Write, at lattice.Stamp, needs lattice.Past, sealed bool) (made lattice.Past, err error)

	// KeepRecord and DropRecord return once most owners of the record know it.
	// Dropping what is not there is no error.
	KeepRecord(ctx context.Context, at lattice.Stamp, record []byte) error
	DropRecord(ctx context.Context, at lattice.Stamp) error
	// Record reads a record from most of its owners, never from fewer.
	Record(ctx context.Context, at lattice.Stamp) (record []byte, found bool, err error)
	// Records calls each with the records that this node holds as the closest live owner.
	Records(ctx context.Context, each func(at lattice.Stamp, record []byte)) error
}

// Bounds of one transaction.
const (
	MaxKeys  = 64
	MaxBytes = 4 << 20 // of values
)

// check gives an Invalid error that names the bound that writes break.
func check(writes []Write) error {
	if len(writes) > MaxKeys {
		return mesh.Errorf(mesh.Invalid, "commit", "%d keys are written: expected at most %d", len(writes), MaxKeys)
	}
	size, keys := 0, make(map[mesh.Key]bool, len(writes))
	for _, w := range writes {
		if err := w.Key.Validate(); err != nil {
			return err
		}
		if keys[w.Key] {
			return mesh.Errorf(mesh.Invalid, "commit", "key %s is written twice: expected one write of each key", w.Key)
		}
		keys[w.Key] = true
		if !w.Deletes {
			size += len(w.Value)
		}
	}
	if size > MaxBytes {
		return mesh.Errorf(mesh.Invalid, "commit", "values of %d bytes are written: expected at most %d", size, MaxBytes)
	}
	return nil
}
