package store

import (
	"crypto/rand"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// identity is what a store knows of itself from one start to the next.
//
// The incarnation makes the writer's name of the dots that this store gives
// out. A dot must never be given out twice, so a store that may have lost a
// write of its own draws a new incarnation: one whose folder is new, whose
// last run did not end with Close, or that met a damaged record.
type identity struct {
	incarnation [8]byte
	closed      bool // the last run ended with Close
	tabled      bool // and left a table of the partitions
	refill      bool // see Condition
	mending     bool // records may be cut out that are not back yet
}

// identityFormat is the version of the whole store's format on disk.
const identityFormat = 3

const identitySize = 1 + 8 + 1

const (
	closedFlag  = 1
	tabledFlag  = 2
	refillFlag  = 4
	mendingFlag = 8
	allFlags    = closedFlag | tabledFlag | refillFlag | mendingFlag
)

func (id identity) encode() []byte {
	b := append(make([]byte, 0, identitySize), identityFormat)
	b = append(b, id.incarnation[:]...)
	var flags byte
	if id.closed {
		flags |= closedFlag
	}
	if id.tabled {
		flags |= tabledFlag
	}
	if id.refill {
		flags |= refillFlag
	}
	if id.mending {
		flags |= mendingFlag
	}
	return append(b, flags)
}

func decodeIdentity(b []byte) (identity, error) {
	if len(b) != identitySize || b[0] != identityFormat || b[9]&^allFlags != 0 {
		return identity{}, mesh.Errorf(mesh.Invalid, "open store", "identity record %x: expected format %d in %d bytes; was the folder written by another version?", b, identityFormat, identitySize)
	}
	return identity{
		incarnation: [8]byte(b[1:9]),
		closed:      b[9]&closedFlag != 0,
		tabled:      b[9]&tabledFlag != 0,
		refill:      b[9]&refillFlag != 0,
		mending:     b[9]&mendingFlag != 0,
	}, nil
}

func (id *identity) renew() { rand.Read(id.incarnation[:]) }

// writer is the name of the dots given out: short, for it stands in every
// counter and set. The end of the node's id is there for people.
func (id *identity) writer(node mesh.NodeID) string {
	return string(node[max(0, len(node)-4):]) + string(id.incarnation[:])
}

// loadIdentity reads the identity, and reports whether there is one.
func loadIdentity(db *pebble.DB) (id identity, known bool, err error) {
	raw, closer, err := get(db, []byte{identityRecord})
	if errors.Is(err, pebble.ErrNotFound) {
		return id, false, nil
	}
	if err != nil {
		return id, false, err
	}
	defer closer.Close()
	id, err = decodeIdentity(raw)
	return id, true, err
}

// saveRunning marks on disk that a run goes on.
func (s *Store) saveRunning() error {
	s.identityMu.Lock()
	defer s.identityMu.Unlock()
	running := s.identity
	running.closed, running.tabled = false, false
	if err := s.db.Set([]byte{identityRecord}, running.encode(), pebble.Sync); err != nil {
		return err
	}
	return s.logs.SyncLogs()
}

// saveClosed marks on disk that this run ended well. Without a table, which
// holds what tells later dots of a dropped partition from earlier ones, the
// next run takes a new incarnation.
func saveClosed(db *pebble.DB, id identity, table []byte) error {
	id.closed, id.tabled = true, table != nil
	batch := db.NewBatch()
	defer batch.Close()
	if err := batch.Set([]byte{tableRecord}, table, nil); err != nil {
		return err
	}
	if err := batch.Set([]byte{identityRecord}, id.encode(), nil); err != nil {
		return err
	}
	return db.Apply(batch, pebble.Sync)
}
