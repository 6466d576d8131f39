package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/virga-mesh/virga/mesh"
)

// reportDamage says which key cannot be read, and gives an error that wraps
// errDamaged. The record held dots that this store had given out and cannot
// know any more, so from now on it writes under another name.
func (s *Store) reportDamage(key mesh.Key, cause error) error {
	s.damaged.Add(1)
	s.log.Error("a record is damaged and skipped; other owners may hold it", "key", key.String(), "err", cause)
	s.identityMu.Lock()
	defer s.identityMu.Unlock()
	id := s.identity
	id.renew()
	s.setIdentity(id)
	return fmt.Errorf("%w: %w", errDamaged, cause)
}

// onCorruption is told by the engine of each damaged file that it meets.
func (s *Store) onCorruption(info pebble.DataCorruptionInfo) {
	s.log.Error("a file of the store is damaged", "file", info.Path, "from", fmt.Sprintf("%q", info.Bounds.Start), "err", info.Details)
}
