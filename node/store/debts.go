package store

import (
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// debts counts what other nodes are owed, to bound it.
type debts struct {
	maxKeys         int
	maxBytes, maxOf int64 // of all nodes, and of each

	mu    sync.Mutex
	of    map[mesh.NodeID]debt
	bytes int64 // of all
}

type debt struct {
	keys  int
	bytes int64
}

func newDebts(o Options) debts {
	return debts{maxKeys: o.MaxHints, maxBytes: o.MaxAllHintBytes, maxOf: o.MaxHintBytes, of: make(map[mesh.NodeID]debt)}
}

// admit gives a mesh.Overloaded error if a node cannot be owed a record of so
// many bytes in place of one that has had bytes; 0: of none.
func (d *debts) admit(node mesh.NodeID, had, bytes int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	of, grows := d.of[node], int64(bytes-had)
	switch {
	case had == 0 && of.keys >= d.maxKeys:
		return mesh.Errorf(mesh.Overloaded, "hints", "node %s is owed deltas of %d keys: expected at most as many", node.Short(), of.keys)
	case grows > 0 && of.bytes+grows > d.maxOf:
		return mesh.Errorf(mesh.Overloaded, "hints", "node %s is owed %d bytes: expected at most %d", node.Short(), of.bytes, d.maxOf)
	case grows > 0 && d.bytes+grows > d.maxBytes:
		return mesh.Errorf(mesh.Overloaded, "hints", "all nodes are owed %d bytes: expected at most %d", d.bytes, d.maxBytes)
	}
	return nil
}

// change notes that a record of had bytes has now so many; 0 is no record.
func (d *debts) change(node mesh.NodeID, had, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := d.of[node]
	if had == 0 {
		of.keys++
	}
	if bytes == 0 {
		of.keys--
	}
	of.bytes += int64(bytes - had)
	d.bytes += int64(bytes - had)
	if of.keys <= 0 { // less: damage hid some at the start
		delete(d.of, node)
	} else {
		d.of[node] = of
	}
}

func (d *debts) nodes() []mesh.NodeID {
	d.mu.Lock()
	defer d.mu.Unlock()
	nodes := make([]mesh.NodeID, 0, len(d.of))
	for node := range d.of {
		nodes = append(nodes, node)
	}
	return nodes
}

// countDebts counts what earlier runs have left.
func (s *Store) countDebts(ctx context.Context) error {
	return s.ignoreUnreadable(s.eachHintIn(ctx, []byte{hintRecord}, []byte{hintRecord}, func(records *pebble.Iterator) (bool, error) {
		node, _, err := splitHintKey(records.Key())
		if err != nil {
			return false, err
		}
		raw, err := records.ValueAndErr()
		if err == nil {
			s.debts.change(node, 0, len(records.Key())+len(raw))
		}
		return true, err
	}))
}

// ignoreUnreadable takes damage that stands in the way of a count, and is
// mended beside it, for no error.
func (s *Store) ignoreUnreadable(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		s.log.Warn("some records could not be counted", "err", err)
		return nil
	}
	return err
}

// CountHints is of how many keys each node is owed deltas.
func (s *Store) CountHints() map[mesh.NodeID]int {
	s.debts.mu.Lock()
	defer s.debts.mu.Unlock()
	counts := make(map[mesh.NodeID]int, len(s.debts.of))
	for node, of := range s.debts.of {
		counts[node] = of.keys
	}
	return counts
}

// HintBytes is how many bytes the deltas take that other nodes are owed.
func (s *Store) HintBytes() int64 {
	s.debts.mu.Lock()
	defer s.debts.mu.Unlock()
	return s.debts.bytes
}
