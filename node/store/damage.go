package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// errDamaged is the cause of errors about records that cannot be read any more.
var errDamaged = errors.New("the record is damaged")

// lostValue takes the place of a cell that is known to be lost. It is no
// cell, so it counts as damaged, not as missing, until a repair replaces it.
var lostValue = []byte{0xff}

// maxReported bounds how many damaged keys are remembered, to be reported once.
const maxReported = 4096

// damaged remembers which keys were reported.
type damaged struct {
	mu   sync.Mutex
	keys map[mesh.Key]struct{}
}

// add reports whether a key is to be reported.
func (d *damaged) add(key mesh.Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.keys[key]; known {
		return false
	}
	if len(d.keys) < maxReported {
		d.keys[key] = struct{}{}
	}
	return true
}

func (d *damaged) remove(key mesh.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.keys, key)
}

// reportDamage says which key cannot be read, and gives an error that wraps
// errDamaged. The record held dots that this store had given out and cannot
// know any more, so from now on it writes under another name.
func (s *Store) reportDamage(key mesh.Key, cause error) error {
	err := fmt.Errorf("%w: %w", errDamaged, cause)
	if !s.damagedKeys.add(key) {
		return err
	}
	s.damaged.Add(1)
	s.log.Error("a record is damaged and skipped; other owners may hold it", "key", key.String(), "err", cause)
	s.identityMu.Lock()
	id := s.identity
	id.renew()
	s.setIdentity(id)
	s.identityMu.Unlock()
	if s.onDamage != nil {
		s.onDamage(key)
	}
	return err
}

// ignoreDamage leaves out errors about damaged records, which were reported.
func ignoreDamage(err error) error {
	if errors.Is(err, errDamaged) {
		return nil
	}
	return err
}
