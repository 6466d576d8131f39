package replica

import (
	"context"
	"slices"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// What reads and writes of runs need that are ordered by cause.

// Reading is a key as it was read.
type Reading struct {
	Value lattice.Value
	Found bool
	// Needs must have been seen by who sees it, and Made is what it is made
	// of: lattice.Cell.
	Needs, Made lattice.Past
	// Here says that this node had it at hand.
	Here bool

	cell lattice.Cell
}

// Latest is the latest stamp that the key bears: of an lww, of the last delete,
// or of an expiry. A write of a transaction with a later one wins over what was
// read, unless the key expires meanwhile.
func (r *Reading) Latest() lattice.Stamp { return latest(r.cell) }

// Transaction is as that of the lattice.Cell that was read.
func (r *Reading) Transaction() (at lattice.Stamp, sealed bool) { return r.cell.Transaction() }

// Read reads this node's own copy of a key that it owns, or, where it has none,
// what another owner holds, and tells where that comes from. A key that is missing
// or deleted is read, too, without an error.
func (r *Replica) Read(ctx context.Context, key mesh.Key) (Reading, error) {
	if err := r.mayRead(ctx, key); err != nil {
		return Reading{}, err
	}
	cell, _, here, err := r.readOwned(ctx, key)
	return r.reading(ctx, key, cell, here, 1, err)
}

// ReadConfirmed is Read from most owners, those that are away included, and
// answers once they all hold what it gives: whoever asks most owners
// afterwards sees it.
func (r *Replica) ReadConfirmed(ctx context.Context, key mesh.Key) (Reading, error) {
	if err := r.mayRead(ctx, key); err != nil {
		return Reading{}, err
	}
	cell, quorum, err := r.readConfirmed(ctx, key, 0)
	if err == nil {
		r.flights.found(key, cell.Made().OfMarked(r.mark))
	}
	return r.reading(ctx, key, cell, false, quorum, err)
}

func (r *Replica) mayRead(ctx context.Context, key mesh.Key) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if err := r.home("get"); err != nil {
		return err
	}
	return r.caughtUp(ctx, key)
}

// reading is what a cell says, with the parts of a divided collection.
func (r *Replica) reading(ctx context.Context, key mesh.Key, cell lattice.Cell, here bool, quorum int, err error) (Reading, error) {
	if err != nil {
		return Reading{}, mesh.AsError("get "+key.String(), err)
	}
	value, _ := cell.Value()
	if value.Divided() && exists(cell) {
		here = false
		if value, err = r.wholeWithCauses(ctx, key, &cell, quorum); err != nil {
			return Reading{}, err
		}
	}
	return Reading{Value: value, Found: exists(cell), Needs: cell.Needs(), Made: cell.Made(), Here: here, cell: cell}, nil
}

// told are the causes that the key is to tell of a change; nil: none, not even
// that it was made.
func (c change) told() *lattice.Past {
	if c.causes != nil && c.untold {
		return &lattice.Past{}
	}
	return c.causes
}

// followCauses sees to it that a change gets a later stamp than all that it
// comes after, and than that which a transaction has drawn for it.
func (r *Replica) followCauses(c change) error {
	if c.causes == nil || r.Observe == nil {
		return nil
	}
	return r.Observe(lattice.Stamp{Time: max(c.causes.Latest(), c.at.Time)})
}

// depart begins a change that is to be sent to the owners of a quorum.
func (r *Replica) depart(c change, q quorum) *flight {
	f := r.flights.depart(r.others(q.owners), q.known, r.Self)
	if !slices.Equal(q.owners, r.owners(c.key)) {
		r.flights.confuse() // nodes came or went since it was looked up
	}
	return f
}

// Audit brings here what another node holds of what this one owns, and this
// one does not, as of when it was called.
func (r *Replica) Audit(ctx context.Context, with mesh.NodeID) error {
	if !r.sync.joined.Load() {
		return mesh.Errorf(mesh.Unavailable, "audit", "this node has not joined the mesh yet")
	}
	var owned partitionSet
	for p := range mesh.Partition(mesh.Partitions) {
		if slices.Contains(r.Placement.PartitionOwners(p, r.Replicas), r.Self) {
			owned.add(p)
		}
	}
	theirs, mine, _, err := r.digests(ctx, comparison{peer: with, partitions: owned})
	if err != nil {
		return err
	}
	for p := range owned.all() {
		if theirs[p] == 0 || theirs[p] == mine[p] {
			continue
		}
		_, whole, err := r.pullPages(ctx, pull{peer: with, partition: p})
		if err == nil && !whole {
			err = mesh.Errorf(mesh.Invalid, "audit", "node %s holds what this one cannot merge", with.Short())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func encodeCauses(causes *lattice.Past) []byte {
	if causes == nil {
		return nil
	}
	return causes.AppendBinary(nil)
}

// decodeCauses reads the causes of a write, if they are told, and gives where
// it is to say which write it is.
func decodeCauses(raw []byte) (*lattice.Past, *Wrote, error) {
	if raw == nil {
		return nil, nil, nil
	}
	causes, err := lattice.DecodePast(raw)
	if err != nil {
		return nil, nil, mesh.Errorf(mesh.Invalid, "put", "its causes: %w", err)
	}
	return &causes, &Wrote{}, nil
}
