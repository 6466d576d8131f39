package cellmap

import "github.com/virga-mesh/virga/mesh"

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
