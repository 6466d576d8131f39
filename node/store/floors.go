package store

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// floors are, for each partition, up to which time of stamps marks of deletes
// may have been forgotten in the mesh, as far as this store was told.
type floors [mesh.Partitions]atomic.Uint64

func appendFloorKey(dst []byte, p mesh.Partition) []byte {
	return binary.BigEndian.AppendUint16(append(dst, floorRecord), uint16(p))
}

// Floor is up to which lattice.Stamp.Time marks of deletes of a partition may
// have been forgotten by nodes that this one was in a mesh with: what began
// before, and other nodes do not hold, may have been deleted. 0: none were.
func (s *Store) Floor(p mesh.Partition) uint64 { return s.floors[p].Load() }

// RaiseFloor notes a later floor, with the durability of the log. An earlier
// one changes nothing.
func (s *Store) RaiseFloor(p mesh.Partition, to uint64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for {
		now := s.floors[p].Load()
		if to <= now {
			return nil
		}
		// Two that raise at once may write in either order: who reads the
		// earlier one at a start takes more for suspect than it must.
		value := binary.BigEndian.AppendUint64(nil, to)
		if err := s.db.Set(appendFloorKey(nil, p), value, pebble.NoSync); err != nil {
			return diskError("raise a floor", err)
		}
		if s.floors[p].CompareAndSwap(now, to) {
			return nil
		}
	}
}

func (s *Store) loadFloors(ctx context.Context) error {
	return s.ignoreUnreadable(s.eachHintIn(ctx, []byte{floorRecord}, []byte{floorRecord}, func(records *pebble.Iterator) (bool, error) {
		key := records.Key()
		value, err := records.ValueAndErr()
		if err != nil {
			return false, err
		}
		if len(key) != 3 || len(value) != 8 || binary.BigEndian.Uint16(key[1:]) >= mesh.Partitions {
			return true, nil
		}
		s.floors[binary.BigEndian.Uint16(key[1:])].Store(binary.BigEndian.Uint64(value))
		return true, nil
	}))
}
