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
}

// identityFormat is the version of the whole store's format on disk.
const identityFormat = 2

const identitySize = 1 + 8 + 1

const (
	closedFlag = 1
	tabledFlag = 2
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
	return append(b, flags)
}

func decodeIdentity(b []byte) (identity, error) {
	if len(b) != identitySize || b[0] != identityFormat || b[9]&^(closedFlag|tabledFlag) != 0 {
		return identity{}, mesh.Errorf(mesh.Invalid, "open store", "identity record %x: expected format %d in %d bytes; was the folder written by another version?", b, identityFormat, identitySize)
	}
	return identity{
		incarnation: [8]byte(b[1:9]),
		closed:      b[9]&closedFlag != 0,
		tabled:      b[9]&tabledFlag != 0,
	}, nil
}

func (id *identity) renew() { rand.Read(id.incarnation[:]) }

// writer is the name of the dots given out: short, for it stands in every
// counter and set. The end of the node's id is there for people.
func (id *identity) writer(node mesh.NodeID) string {
	return string(node[max(0, len(node)-4):]) + string(id.incarnation[:])
}

// loadIdentity reads the identity, and marks on disk that a run has begun.
func loadIdentity(db *pebble.DB) (identity, error) {
	var id identity
	raw, closer, err := db.Get([]byte{identityRecord})
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return id, err
	default:
		defer closer.Close()
		if id, err = decodeIdentity(raw); err != nil {
			return id, err
		}
	}
	if !id.closed || !id.tabled {
		id.renew()
	}
	running := id
	running.closed, running.tabled = false, false
	return id, db.Set([]byte{identityRecord}, running.encode(), pebble.Sync)
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
