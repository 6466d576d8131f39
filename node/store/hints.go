package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// AddHint notes, with the durability of the log, that a node is owed a delta
// of a key. What it is owed of one key merges, so hints are bounded by keys.
func (s *Store) AddHint(node mesh.NodeID, key mesh.Key, delta lattice.Cell) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	batch := s.db.NewBatch()
	if err := batch.Merge(appendHintKey(nil, node, key), delta.AppendBinary(nil), nil); err != nil {
		return hintError(err)
	}
	s.hintMu.Lock()
	commit, err := s.apply(batch, mesh.Logged)
	s.hintMu.Unlock()
	if err != nil {
		return hintError(err)
	}
	return hintError(s.awaitLog(commit))
}

// Hints gives what a node is owed, of up to limit keys.
func (s *Store) Hints(ctx context.Context, node mesh.NodeID, limit int) (map[mesh.Key]lattice.Cell, error) {
	owed := make(map[mesh.Key]lattice.Cell)
	err := s.eachHint(ctx, appendHintPrefix(nil, node), func(records *pebble.Iterator) (next bool, err error) {
		_, key, err := splitHintKey(records.Key())
		if err != nil {
			return false, err
		}
		raw, err := records.ValueAndErr()
		if err != nil {
			return false, err
		}
		delta, err := lattice.DecodeCell(raw)
		if err != nil {
			s.log.Error("a hint is damaged and left out", "node", node.Short(), "key", key.String(), "err", err)
			return true, nil
		}
		owed[key] = delta
		return len(owed) < limit, nil
	})
	return owed, err
}

// HintedNodes lists the nodes that are owed something, in order.
func (s *Store) HintedNodes(ctx context.Context) ([]mesh.NodeID, error) {
	var nodes []mesh.NodeID
	for from := []byte{hintRecord}; from != nil; {
		found := false
		err := s.eachHintFrom(ctx, from, []byte{hintRecord}, func(records *pebble.Iterator) (bool, error) {
			node, _, err := splitHintKey(records.Key())
			if err != nil {
				return false, err
			}
			found = true
			nodes = append(nodes, node)
			from = afterPrefix(appendHintPrefix(nil, node))
			return false, nil
		})
		if err != nil || !found {
			return nodes, err
		}
	}
	return nodes, nil
}

// DropHint forgets what a node was owed of a key, unless that has grown since
// sent was read: sent is what the node has acknowledged.
func (s *Store) DropHint(node mesh.NodeID, key mesh.Key, sent lattice.Cell) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	record := appendHintKey(nil, node, key)
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	raw, closer, err := s.db.Get(record)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return hintError(err)
	}
	defer closer.Close()
	owed, err := lattice.DecodeCell(raw)
	if err != nil {
		return hintError(err)
	}
	if order := owed.Compare(sent); order != lattice.Less && order != lattice.Equal {
		return nil
	}
	// Lost with a killed process, it is sent once more.
	return hintError(s.db.Delete(record, pebble.NoSync))
}

func (s *Store) eachHint(ctx context.Context, prefix []byte, visit func(*pebble.Iterator) (next bool, err error)) error {
	return s.eachHintFrom(ctx, prefix, prefix, visit)
}

func (s *Store) eachHintFrom(ctx context.Context, from, prefix []byte, visit func(*pebble.Iterator) (next bool, err error)) error {
	return hintError(s.reading(ctx, func() error { return s.eachHintIn(ctx, from, prefix, visit) }))
}

func (s *Store) eachHintIn(ctx context.Context, from, prefix []byte, visit func(*pebble.Iterator) (next bool, err error)) error {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: afterPrefix(prefix)})
	if err != nil {
		return err
	}
	defer records.Close()
	for next := records.First(); next; next = next && records.Next() {
		if next, err = visit(records); err != nil {
			return err
		}
	}
	return records.Error()
}

func hintError(err error) error {
	var known *mesh.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	}
	return mesh.Errorf(mesh.Unavailable, "hints", "%w", err)
}
