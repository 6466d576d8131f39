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
		if !m.shards[i].each(visit) {
			return
		}
	}
}

func (s *shard[M]) each(visit func(mesh.Key, int64, M) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.entries {
		if !visit(e.key, e.bytes, e.meta) {
			return false
		}
	}
	return true
}

// EachCell calls visit for the cells held, in no order. A cell is valid until
// visit returns, which must be short, and must not call the map.
func (m *Map[M]) EachCell(visit func(mesh.Key, *lattice.Cell)) {
	for i := range m.shards {
		m.shards[i].eachCell(visit)
	}
}

func (s *shard[M]) eachCell(visit func(mesh.Key, *lattice.Cell)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.entries {
		visit(e.key, &e.cell)
	}
}
