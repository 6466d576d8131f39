package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// CountHints is of how many keys each node is owed deltas. It stops counting
// at limit keys of all nodes together.
func (s *Store) CountHints(ctx context.Context, limit int) (map[mesh.NodeID]int, error) {
	counts := make(map[mesh.NodeID]int)
	counted := 0
	err := s.eachHint(ctx, []byte{hintRecord}, func(records *pebble.Iterator) (bool, error) {
		node, _, err := splitHintKey(records.Key())
		if err != nil {
			return false, err
		}
		counts[node]++
		counted++
		return counted < limit, nil
	})
	return counts, err
}
