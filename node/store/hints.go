package store

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// AddHint notes, with the durability of the log, that a node is owed a delta
// of a key. What it is owed of one key merges. It is mesh.Overloaded, and
// nothing is noted, where that would be more than the options allow.
func (s *Store) AddHint(node mesh.NodeID, key mesh.Key, delta lattice.Cell) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	commit, err := s.addHint(node, key, delta)
	if err != nil || commit == nil {
		return hintError(err)
	}
	return hintError(s.awaitLog(commit))
}

func (s *Store) addHint(node mesh.NodeID, key mesh.Key, delta lattice.Cell) (*pebble.Batch, error) {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	record := appendHintKey(nil, node, key)
	owed, had, err := s.hint(record)
	if err != nil {
		return nil, err
	}
	if _, err := owed.Merge(delta); err != nil {
		s.log.Error("a delta does not fit to what a node is owed, and is left out", "node", node.Short(), "key", key.String(), "err", err)
		return nil, nil
	}
	value := owed.AppendBinary(nil)
	if err := s.debts.admit(node, had, len(record)+len(value)); err != nil {
		return nil, err
	}
	batch := s.db.NewBatch()
	if err := batch.Set(record, value, nil); err != nil {
		return nil, err
	}
	commit, err := s.apply(batch, mesh.Logged)
	if err == nil {
		s.debts.change(node, had, len(record)+len(value))
	}
	return commit, err
}

// hint reads what a node is owed of a key, and how many bytes that takes. One
// that is damaged counts, and is as good as none.
func (s *Store) hint(record []byte) (owed lattice.Cell, bytes int, err error) {
	raw, closer, err := get(s.db, record)
	if errors.Is(err, pebble.ErrNotFound) {
		return owed, 0, nil
	}
	if err != nil {
		return owed, 0, err
	}
	defer closer.Close()
	if owed, err = lattice.DecodeCell(raw); err != nil {
		s.log.Error("a hint is damaged and left out", "record", string(record), "err", err)
	}
	return owed, len(record) + len(raw), nil
}

// Hinted reports whether any node is owed something of a key.
func (s *Store) Hinted(key mesh.Key) (bool, error) {
	for _, node := range s.debts.nodes() {
		if err := s.enter(); err != nil {
			return false, err
		}
		_, bytes, err := s.hint(appendHintKey(nil, node, key))
		s.leave()
		if err != nil || bytes > 0 {
			return bytes > 0, hintError(err)
		}
	}
	return false, nil
}

// DropHints forgets what nodes are owed of keys, where drop says so, and
// gives of how many.
func (s *Store) DropHints(ctx context.Context, drop func(mesh.NodeID, mesh.Key) bool) (dropped int, err error) {
	err = s.eachHint(ctx, []byte{hintRecord}, func(records *pebble.Iterator) (bool, error) {
		node, key, err := splitHintKey(records.Key())
		if err != nil || !drop(node, key) {
			return true, err
		}
		s.hintMu.Lock()
		defer s.hintMu.Unlock()
		record := appendHintKey(nil, node, key)
		_, bytes, err := s.hint(record)
		if err != nil || bytes == 0 {
			return true, err
		}
		dropped++
		s.debts.change(node, bytes, 0)
		return true, s.db.Delete(record, pebble.NoSync)
	})
	return dropped, err
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
	owed, bytes, err := s.hint(record)
	if err != nil || bytes == 0 {
		return hintError(err)
	}
	if order := owed.Compare(sent); order != lattice.Less && order != lattice.Equal {
		return nil
	}
	s.debts.change(node, bytes, 0)
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
