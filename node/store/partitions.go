package store

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

// Digests gives, for each partition, what Digest does. The first call after
// many changes reads what changed.
func (s *Store) Digests(ctx context.Context) ([]uint64, error) {
	if err := s.settled(ctx); err != nil {
		return nil, partitionError("digest", 0, err)
	}
	if err := s.awaitIndex(ctx); err != nil {
		return nil, err
	}
	digests, stale := s.table.all()
	for _, p := range stale {
		var err error
		if digests[p], err = s.digestSettled(ctx, p); err != nil {
			return nil, err
		}
	}
	return digests, s.logged()
}

// Digest gives the XOR of the digests of a partition's cells, those of
// deleted keys too: 0 for an empty partition. Two stores that hold the same
// have the same digest. All writes that returned before the call are in it;
// those that go on beside it may be or not. What it stands for is logged: it
// may be told to others.
func (s *Store) Digest(ctx context.Context, p mesh.Partition) (uint64, error) {
	if err := s.settled(ctx); err != nil {
		return 0, partitionError("digest", p, err)
	}
	digest, err := s.digestSettled(ctx, p)
	if err == nil {
		err = s.logged()
	}
	return digest, err
}

// digestSettled is Digest of what the engine has.
func (s *Store) digestSettled(ctx context.Context, p mesh.Partition) (uint64, error) {
	if err := s.awaitIndex(ctx); err != nil {
		return 0, err
	}
	var digest uint64
	err := s.reading(ctx, func() (err error) {
		digest, err = s.digest(ctx, p)
		return err
	})
	return digest, partitionError("digest", p, err)
}

func (s *Store) digest(ctx context.Context, p mesh.Partition) (digest uint64, err error) {
	s.table.computing.Lock()
	defer s.table.computing.Unlock()
	if !s.table.stale[p].Swap(false) {
		return s.table.digests[p], nil
	}
	err = s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
		digest ^= cell.Digest
		return true, nil
	})
	if err != nil {
		s.table.stale[p].Store(true)
		return 0, err
	}
	s.table.digests[p] = digest
	return digest, nil
}

// Held lists the partitions of which there is at least one cell. Unlike a
// digest of 0, which two cells could have by chance, it is exact.
func (s *Store) Held(ctx context.Context) ([]mesh.Partition, error) {
	if err := s.awaitIndex(ctx); err != nil {
		return nil, err
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	var held []mesh.Partition
	for p := range mesh.Partition(mesh.Partitions) {
		if s.table.keys[p].Load() > 0 {
			held = append(held, p)
		}
	}
	return held, nil
}

// Entries tells of the cells of a partition, in order of ID.
func (s *Store) Entries(ctx context.Context, p mesh.Partition) ([]mesh.Entry, error) {
	if err := s.settled(ctx); err != nil {
		return nil, partitionError("list", p, err)
	}
	var entries []mesh.Entry
	err := s.reading(ctx, func() error {
		entries = nil
		return s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
			entries = append(entries, cell.Entry)
			return true, nil
		})
	})
	return entries, partitionError("list", p, err)
}

// Differing gives the cells of a partition that are not in have, with the
// same ID and digest, in order of ID from an ID on, until they come to about
// maxBytes of memory: at least one cell, and all that share its ID. Unless it
// is done, next is where to go on. A damaged cell is left out. The cells must
// not be changed.
func (s *Store) Differing(ctx context.Context, p mesh.Partition, have []mesh.Entry, from uint64, maxBytes int) (records []mesh.Record, next uint64, done bool, err error) {
	if err := s.settled(ctx); err != nil {
		return nil, 0, false, partitionError("compare", p, err)
	}
	known := make(map[mesh.Entry]struct{}, len(have))
	for _, entry := range have {
		known[entry] = struct{}{}
	}
	err = s.reading(ctx, func() (err error) {
		records, next, done, err = s.differing(ctx, p, known, from, maxBytes)
		return err
	})
	return records, next, done, partitionError("compare", p, err)
}

func (s *Store) differing(ctx context.Context, p mesh.Partition, known map[mesh.Entry]struct{}, from uint64, maxBytes int) (records []mesh.Record, next uint64, done bool, err error) {
	bytes, last := 0, uint64(0)
	done = true
	err = s.eachIndexed(ctx, p, from, func(cell indexed) (bool, error) {
		if _, ok := known[cell.Entry]; ok {
			return true, nil
		}
		if bytes >= maxBytes && len(records) > 0 && cell.ID != last {
			next, done = cell.ID, false
			return false, nil
		}
		last = cell.ID
		held, ok, err := s.peek(cell.key)
		if ok {
			records = append(records, mesh.Record{Key: cell.key, Cell: held})
			bytes += held.Size()
		}
		return true, ignoreDamage(err)
	})
	return records, next, done, err
}

// DropPartition removes the cells of a partition if its digest is the given
// one, and reports whether the partition is empty now. A cell that is written
// or created meanwhile stays, and the answer is false, though the others are
// gone. The caller has made sure that other nodes hold what has the digest.
// After a crash the cells may be there again.
func (s *Store) DropPartition(ctx context.Context, p mesh.Partition, digest uint64) (bool, error) {
	if err := s.awaitIndex(ctx); err != nil {
		return false, err
	}
	if err := s.settled(ctx); err != nil {
		return false, partitionError("drop", p, err)
	}
	var dropped bool
	err := s.reading(ctx, func() (err error) {
		dropped, err = s.drop(ctx, p, digest)
		return err
	})
	return dropped, partitionError("drop", p, err)
}

func (s *Store) drop(ctx context.Context, p mesh.Partition, digest uint64) (bool, error) {
	var cells []indexed
	var found uint64
	err := s.eachIndexed(ctx, p, 0, func(cell indexed) (bool, error) {
		cells, found = append(cells, cell), found^cell.Digest
		return true, nil
	})
	if err != nil || found != digest {
		return false, err
	}
	if len(cells) > 0 {
		s.table.countDrops(p, 1)
	}
	for _, cell := range cells {
		if _, err := s.removeIf(cell.key, cell.Digest); err != nil {
			return false, err
		}
	}
	return s.table.keys[p].Load() == 0, nil
}

func partitionError(op string, p mesh.Partition, err error) error {
	if err == nil {
		return nil
	}
	return diskError(op+" partition "+p.String(), err)
}
