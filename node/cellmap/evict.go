package cellmap

import "github.com/virga-mesh/virga/mesh"

// Trim lets go of cells until the map is within its limit, or all that are
// left are pinned. Whoever changed cells calls it, holding no lock that
// onEvict takes.
func (m *Map[M]) Trim() {
	// The first round may do no more than take back that cells were accessed.
	for inVain := 0; m.used.Load() > m.limit && inVain < 2*Shards; inVain++ {
		if m.evictFrom(&m.shards[m.victim.Add(1)&(Shards-1)]) {
			inVain = 0
		}
	}
}

// evictFrom lets go of the first cell under the hand that was not accessed
// since the hand passed it last (Corbató's clock algorithm), if there is one.
func (m *Map[M]) evictFrom(s *shard[M]) bool {
	s.mu.Lock()
	n, found := s.coldest()
	var key mesh.Key
	var meta M
	if found {
		e := s.at(n)
		key, meta = m.keyOf(e), e.meta
		m.remove(s, n)
		m.tidy(s)
	}
	s.mu.Unlock()
	if found && m.onEvict != nil {
		m.onEvict(key, meta)
	}
	return found
}

func (s *shard[M]) coldest() (uint32, bool) {
	for range s.len() {
		if s.hand >= s.len() {
			s.hand = 0
		}
		n := s.hand
		s.hand++
		e := s.at(n)
		switch {
		case e.state&(vacant|held) != 0:
		case !e.has(accessed):
			return n, true
		default:
			e.clear(accessed)
		}
	}
	return 0, false
}
