package store

import "github.com/virga-mesh/virga/lattice"

// observe makes the clock follow the stamps in a cell, so that a write made
// on top of it is later than all that it holds. It refuses a cell from too
// far in the future.
func (s *Store) observe(cell lattice.Cell) error {
	if at := cell.ResetAt(); !at.IsZero() {
		if err := s.clock.Observe(at); err != nil {
			return err
		}
	}
	v, ok := cell.Value()
	if !ok {
		return nil
	}
	if _, at, ok := v.Payload(); ok {
		return s.clock.Observe(at)
	}
	return nil
}
