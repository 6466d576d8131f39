package store

import (
	"crypto/rand"
	"encoding/binary"
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
	closed      bool   // the last run ended with Close
	counted     bool   // keys is right
	keys        uint64 // records of cells
}

// identityFormat is the version of the whole store's format on disk.
const identityFormat = 1

const identitySize = 1 + 8 + 1 + 8

const (
	closedFlag  = 1
	countedFlag = 2
)

func (id identity) encode() []byte {
	b := append(make([]byte, 0, identitySize), identityFormat)
	b = append(b, id.incarnation[:]...)
	var flags byte
	if id.closed {
		flags |= closedFlag
	}
	if id.counted {
		flags |= countedFlag
	}
	b = append(b, flags)
	return binary.BigEndian.AppendUint64(b, id.keys)
}

func decodeIdentity(b []byte) (identity, error) {
	if len(b) != identitySize || b[0] != identityFormat || b[9]&^(closedFlag|countedFlag) != 0 {
		return identity{}, mesh.Errorf(mesh.Invalid, "open store", "identity record %x: expected format %d in %d bytes; was the folder written by a later version?", b, identityFormat, identitySize)
	}
	return identity{
		incarnation: [8]byte(b[1:9]),
		closed:      b[9]&closedFlag != 0,
		counted:     b[9]&countedFlag != 0,
		keys:        binary.BigEndian.Uint64(b[10:]),
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
		id.counted = true // there are none
		id.renew()
	case err != nil:
		return id, err
	default:
		defer closer.Close()
		if id, err = decodeIdentity(raw); err != nil {
			return id, err
		}
	}
	if !id.closed {
		id.renew()
	}
	running := id
	running.closed, running.counted = false, false
	return id, saveIdentity(db, running)
}

func saveIdentity(db *pebble.DB, id identity) error {
	return db.Set([]byte{identityRecord}, id.encode(), pebble.Sync)
}
