package store

import "github.com/virga-mesh/virga/lattice"

// follow makes the clock follow all stamps in a cell, so that what this store
// writes later is later. It is called for every cell that comes in, from
// another node or from the disk. It refuses a cell from too far in the future.
func (s *Store) follow(cell lattice.Cell) error {
	at := later(cell.ResetAt(), cell.Expiry().At)
	if v, ok := cell.Value(); ok {
		at = later(at, latest(v))
	}
	return s.observe(at)
}

// followTop is follow for what takes no time to find: the delete, the expiry,
// and the write of a plain register.
func (s *Store) followTop(cell lattice.Cell) error {
	at := later(cell.ResetAt(), cell.Expiry().At)
	if v, ok := cell.Value(); ok {
		at = later(at, v.Stamp())
	}
	return s.observe(at)
}

func (s *Store) observe(at lattice.Stamp) error {
	if at.IsZero() {
		return nil
	}
	return s.clock.Observe(at)
}

// latest is the latest stamp in a value, or zero. It looks into the fields of maps.
func latest(v lattice.Value) lattice.Stamp {
	switch v.Kind() {
	case lattice.MapKind, lattice.ORMapKind:
		return latestField(v)
	}
	return v.Stamp()
}

func latestField(v lattice.Value) (at lattice.Stamp) {
	for name := range v.Names() {
		if field, ok := v.Field(name); ok {
			at = later(at, latest(field))
		}
	}
	return at
}

func later(a, b lattice.Stamp) lattice.Stamp {
	if b.After(a) {
		return b
	}
	return a
}
