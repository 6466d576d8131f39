package store

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// For each cell that expires there is a record, ordered by when. It is written
// and removed in the same batch as the delta that makes it so. Where the cell
// went another way, the record is found to be stale when its time has come.

// expiry is when a cell expires, in milliseconds of the Unix epoch; 0: never.
type expiry uint64

func expiryOf(cell lattice.Cell) expiry {
	if at, ok := cell.ExpiresAt(); ok {
		return expiry(at.UnixMilli())
	}
	return 0
}

// expiryHeadSize is the kind of record and the moment.
const expiryHeadSize = 1 + 8

func appendExpiryKey(dst []byte, at expiry, key mesh.Key) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, expiryRecord), uint64(at))
	dst = append(dst, key.Namespace...)
	return append(append(dst, 0), key.Name...)
}

// splitExpiryKey reads what appendExpiryKey writes.
func splitExpiryKey(record []byte) (expiry, mesh.Key, error) {
	if len(record) < expiryHeadSize {
		return 0, mesh.Key{}, mesh.Errorf(mesh.Internal, "expiry", "record key of %d bytes: expected at least %d", len(record), expiryHeadSize)
	}
	key, err := mesh.KeyFromPath(string(record[expiryHeadSize:]))
	return expiry(binary.BigEndian.Uint64(record[1:])), key, err
}

// noteExpiry has a batch note when a cell that it changes expires.
func noteExpiry(batch *pebble.Batch, key mesh.Key, before, after expiry) error {
	if before == after {
		return nil
	}
	if before != 0 {
		if err := batch.Delete(appendExpiryKey(nil, before, key), nil); err != nil {
			return err
		}
	}
	if after != 0 {
		return batch.Set(appendExpiryKey(nil, after, key), nil, nil)
	}
	return nil
}

// Expired gives keys whose cells expired by the given time, in the order in
// which they did and after the one given, and when; the zero Expiring is
// before all. It looks at up to limit records: more says whether there are
// others, and last where to go on.
func (s *Store) Expired(ctx context.Context, after mesh.Expiring, by time.Time, limit int) (expired []mesh.Expiring, last mesh.Expiring, more bool, err error) {
	err = s.reading(ctx, func() (err error) {
		if err := s.writeOutThose(func(_ mesh.Key, beside inMemory) bool { return beside&hasAside != 0 }); err != nil {
			return err
		}
		expired, last, more, err = s.expired(ctx, after, by, limit)
		return err
	})
	if err != nil {
		return nil, after, false, diskError("list what expired", err)
	}
	return expired, last, more, nil
}

func (s *Store) expired(ctx context.Context, after mesh.Expiring, by time.Time, limit int) (expired []mesh.Expiring, last mesh.Expiring, more bool, err error) {
	records, more, err := s.expiryRecords(ctx, after, by, limit)
	if err != nil {
		return nil, after, false, err
	}
	last = after
	for _, record := range records {
		last = record
		stands, err := s.standsOrForget(record)
		if err != nil {
			return nil, after, false, err
		}
		if stands {
			expired = append(expired, record)
		}
	}
	return expired, last, more, nil
}

// expiryRecords reads the records after one and up to a time.
func (s *Store) expiryRecords(ctx context.Context, after mesh.Expiring, by time.Time, limit int) (found []mesh.Expiring, more bool, err error) {
	from := []byte{expiryRecord}
	if after != (mesh.Expiring{}) {
		from = append(appendExpiryKey(nil, expiry(after.At.UnixMilli()), after.Key), 0)
	}
	end := binary.BigEndian.AppendUint64([]byte{expiryRecord}, uint64(by.UnixMilli())+1)
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return nil, false, err
	}
	defer records.Close()
	for valid := records.First(); valid; valid = records.Next() {
		if len(found) == limit {
			return found, true, nil
		}
		at, key, err := splitExpiryKey(records.Key())
		if err != nil {
			return nil, false, err
		}
		found = append(found, mesh.Expiring{Key: key, At: time.UnixMilli(int64(at)).UTC()})
	}
	return found, false, records.Error()
}

// standsOrForget reports whether the cell of a record expires as that says,
// and removes the record if it does not. A damaged cell's stays.
func (s *Store) standsOrForget(record mesh.Expiring) (bool, error) {
	disk := &s.disks[s.cells.ShardOf(record.Key)]
	disk.Lock()
	defer disk.Unlock()
	locked := s.cells.Lock(record.Key)
	defer locked.Unlock()
	held, found, err := s.peekLocked(&locked, record.Key)
	if errors.Is(err, errDamaged) {
		return false, nil
	}
	at := expiry(record.At.UnixMilli())
	if err != nil || found && expiryOf(held) == at {
		return found, err
	}
	if locked.Pinned() { // what is pending may be about the record
		return false, nil
	}
	return false, s.db.Delete(appendExpiryKey(nil, at, record.Key), pebble.NoSync)
}
