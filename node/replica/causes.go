package replica

import (
	"cmp"
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
}

// Read reads like GetHere, and tells where what was read comes from. A key
// that is missing or deleted is read, too, without an error.
func (r *Replica) Read(ctx context.Context, key mesh.Key, quorum int) (Reading, error) {
	op := "get " + key.String()
	if err := key.Validate(); err != nil {
		return Reading{}, err
	}
	if err := r.home(op); err != nil {
		return Reading{}, err
	}
	if err := r.caughtUp(ctx, key); err != nil {
		return Reading{}, err
	}
	quorum = cmp.Or(quorum, r.ReadQuorum)
	cell, _, here, err := r.readHere(ctx, key, quorum)
	if err != nil {
		return Reading{}, mesh.AsError(op, err)
	}
	value, _ := cell.Value()
	if value.Divided() && exists(cell) {
		here = false
		if value, err = r.wholeWithCauses(ctx, key, &cell, quorum); err != nil {
			return Reading{}, err
		}
	}
	return Reading{Value: value, Found: exists(cell), Needs: cell.Needs(), Made: cell.Made(), Here: here}, nil
}

// ReadConsistent is Read from so many owners that what was acknowledged with
// the default quorum is seen.
func (r *Replica) ReadConsistent(ctx context.Context, key mesh.Key) (Reading, error) {
	known := r.lookQuorum(len(r.knownOwners(key)))
	return r.Read(ctx, key, max(known, min(2, len(r.owners(key)))))
}

// told are the causes that the key is to tell of a change; nil: none, not even
// that it was made.
func (c change) told() *lattice.Past {
	if c.causes != nil && c.untold {
		return &lattice.Past{}
	}
	return c.causes
}

// followCauses sees to it that a change gets a later stamp than all that it comes after.
func (r *Replica) followCauses(c change) error {
	if c.causes == nil || r.Observe == nil {
		return nil
	}
	return r.Observe(lattice.Stamp{Time: c.causes.Latest()})
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
