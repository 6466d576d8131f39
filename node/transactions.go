package node

import (
	"context"
	"strconv"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/txn"
)

// commit makes what a transactional run has written. A Conflict of the store's
// is not one of what the run has read: the write may have been made.
func (r *rooms) commit(ctx context.Context, writes []txn.Write, seen lattice.Past) error {
	_, err := r.txns.Commit(ctx, writes, seen)
	if mesh.KindOf(err) == mesh.Conflict {
		return mesh.Errorf(mesh.Unavailable, "commit", "the writes may still take effect: %v", err)
	}
	return err
}

// transactionStore is the replicated store as commits use it.
type transactionStore struct{ rooms *rooms }

var _ txn.Store = transactionStore{}

// Latest implements txn.Store.
func (s transactionStore) Latest(ctx context.Context, w txn.Write) (lattice.Stamp, error) {
	read, err := s.rooms.replica.ReadConfirmed(ctx, w.Key)
	if have := read.Value.Kind(); err == nil && !w.Deletes && read.Found && have != lattice.LWWKind {
		err = mesh.Errorf(mesh.KindMismatch, "put "+w.Key.String(), "%w", &lattice.KindMismatchError{Have: have, Got: lattice.LWWKind})
	}
	return read.Latest(), err
}

// Write implements txn.Store.
func (s transactionStore) Write(ctx context.Context, w txn.Write, at lattice.Stamp, needs lattice.Past, sealed bool) (lattice.Past, error) {
	o := replica.WriteOptions{Causes: &needs, Wrote: &replica.Wrote{}, At: at, Sealed: sealed && !at.IsZero()}
	var err error
	if w.Deletes {
		o.AfterMost = !at.IsZero()
		_, err = s.rooms.replica.Delete(ctx, w.Key, o)
	} else {
		_, err = s.rooms.replica.Put(ctx, w.Key, lattice.LWWKind, lattice.SetOp(w.Value), o)
	}
	return o.Wrote.Made(), err
}

// Records are in maps of the mesh's own namespace, a few for each home: the
// time of a commit -> its record.
const (
	recordsPrefix  = "transactions/"
	recordMaps     = 16
	recordsAtATime = 64
	maxScannedMiB  = 16
)

// recordKey is the map of a record, and the field there.
func recordKey(at lattice.Stamp) (key mesh.Key, field string) {
	name := recordsPrefix + mesh.NodeID(at.Node).String() + "/" + strconv.FormatUint(at.Time%recordMaps, 10)
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: name}, strconv.FormatUint(at.Time, 10)
}

// stampOfRecord is what recordKey gives back to front; not ok where that is no record.
func stampOfRecord(key mesh.Key, field string) (at lattice.Stamp, ok bool) {
	home, _, _ := strings.Cut(strings.TrimPrefix(key.Name, recordsPrefix), "/")
	id, err := mesh.ParseNodeID(home)
	if err != nil {
		return at, false
	}
	time, err := strconv.ParseUint(field, 10, 64)
	return lattice.Stamp{Time: time, Node: string(id)}, err == nil
}

// KeepRecord implements txn.Store.
func (s transactionStore) KeepRecord(ctx context.Context, at lattice.Stamp, record []byte) error {
	key, field := recordKey(at)
	return s.rooms.state.Put(ctx, key, lattice.ORMapKind, lattice.PutOp(field, lattice.LWWKind, lattice.SetOp(record)))
}

// DropRecord implements txn.Store.
func (s transactionStore) DropRecord(ctx context.Context, at lattice.Stamp) error {
	key, field := recordKey(at)
	return s.rooms.state.Put(ctx, key, lattice.ORMapKind, lattice.DropOp(field))
}

// Record implements txn.Store.
func (s transactionStore) Record(ctx context.Context, at lattice.Stamp) (record []byte, found bool, err error) {
	key, field := recordKey(at)
	read, err := s.rooms.replica.ReadConfirmed(ctx, key)
	if err != nil || !read.Found {
		return nil, false, err
	}
	for name, inner := range read.Value.Fields() {
		if name == field {
			record, found = inner.Payload()
		}
	}
	return record, found, nil
}

// Records implements txn.Store.
func (s transactionStore) Records(ctx context.Context, each func(at lattice.Stamp, record []byte)) error {
	after := ""
	for {
		page, more, err := s.rooms.store.Scan(ctx, mesh.SystemNamespace, recordsPrefix, after, recordsAtATime, maxScannedMiB<<20)
		if err != nil {
			return err
		}
		for _, kept := range page {
			after = kept.Key.Name
			if owners := s.rooms.dht.Owners(kept.Key, s.rooms.cfg.Replicas); len(owners) == 0 || owners[0] != s.rooms.self {
				continue
			}
			value, _ := kept.Cell.Value()
			for field, inner := range value.Fields() {
				at, ok := stampOfRecord(kept.Key, field)
				if record, held := inner.Payload(); ok && held {
					each(at, record)
				}
			}
		}
		if !more {
			return nil
		}
	}
}
