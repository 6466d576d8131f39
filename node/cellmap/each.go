package cellmap

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Each calls visit for the cells held, with the memory that each takes, in no
// order, until it returns false. What changes meanwhile may be seen or not.
// visit must be short, and must not call the map.
func (m *Map[M]) Each(visit func(key mesh.Key, bytes int64, meta M) bool) {
	for i := range m.shards {
		if !m.each(&m.shards[i], func(e *entry[M]) bool { return visit(m.keyOf(e), m.sizeOf(e), e.meta) }) {
			return
		}
	}
}

// EachCell calls visit for the cells held, in no order, with what stands
// beside each. A cell is valid until visit returns, which must be short, and
// must not call the map.
func (m *Map[M]) EachCell(visit func(mesh.Key, *lattice.Cell, M)) {
	for i := range m.shards {
		m.each(&m.shards[i], func(e *entry[M]) bool {
			visit(m.keyOf(e), &e.cell, e.meta)
			return true
		})
	}
}

func (m *Map[M]) each(s *shard[M], visit func(*entry[M]) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for n := range s.len() {
		if e := s.at(n); e.state&vacant == 0 && !visit(e) {
			return false
		}
	}
	return true
}
