package store

import (
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// Enqueue keeps, with durability d, a request that this node has taken and is
// yet to make. The number that it gives grows with each call, also from one
// start to the next.
func (s *Store) Enqueue(ctx context.Context, request []byte, d mesh.Durability) (number uint64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	number = s.clock.Now().Time
	batch := s.db.NewBatch()
	err = batch.Set(appendQueueKey(nil, number), request, nil)
	var commit *pebble.Batch
	if err == nil {
		commit, err = s.apply(batch, d)
	}
	if err == nil && commit != nil {
		err = s.awaitLog(commit)
	}
	s.leave()
	if err == nil && d == mesh.Synced {
		err = s.syncs.Wait(ctx)
	}
	return number, queueError(err)
}

// Dequeue forgets a request that was made. Lost with a killed process, it is
// made once more.
func (s *Store) Dequeue(number uint64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return queueError(s.db.Delete(appendQueueKey(nil, number), pebble.NoSync))
}

// Queued calls visit with the requests that are kept, in the order of their
// numbers. The bytes are valid until visit returns.
func (s *Store) Queued(ctx context.Context, visit func(number uint64, request []byte)) error {
	prefix := []byte{queueRecord}
	return s.eachHint(ctx, prefix, func(records *pebble.Iterator) (next bool, err error) {
		request, err := records.ValueAndErr()
		if err != nil || len(records.Key()) != 9 {
			return err == nil, err
		}
		visit(binary.BigEndian.Uint64(records.Key()[1:]), request)
		return true, nil
	})
}

func appendQueueKey(dst []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, queueRecord), number)
}

func queueError(err error) error {
	if err == nil || mesh.KindOf(err) != mesh.Internal {
		return err
	}
	return mesh.Errorf(mesh.Unavailable, "queue", "%w", err)
}
