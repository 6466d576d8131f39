package cellmap

// chunkSize is how many entries are allocated at once; a power of two. With
// more than 512 bytes the allocator adds to each chunk what makes it the next size.
const chunkSize = 8

// slab holds the entries of a shard by number, a chunk at a time, so that an
// entry costs its own size alone. The number of an entry stays the same until
// the slab is tidied.
type slab[M any] struct {
	chunks []*[chunkSize]entry[M]
	next   uint32 // the least number that was never given out
	vacant uint32 // the number of a vacant entry and 1; 0: there is none
	spare  uint32 // how many are vacant
}

func (s *slab[M]) at(n uint32) *entry[M] {
	return &s.chunks[n/chunkSize][n%chunkSize]
}

// len is the number of entries, vacant ones included.
func (s *slab[M]) len() uint32 { return s.next }

// add gives a new entry, which is zero.
func (s *slab[M]) add() (*entry[M], uint32) {
	if s.vacant > 0 {
		n := s.vacant - 1
		e := s.at(n)
		s.vacant = e.flags
		s.spare--
		*e = entry[M]{}
		return e, n
	}
	if s.next == maxEntries {
		panic("cellmap: too many cells")
	}
	if int(s.next) == len(s.chunks)*chunkSize {
		s.chunks = append(s.chunks, new([chunkSize]entry[M]))
	}
	s.next++
	return s.at(s.next - 1), s.next - 1
}

func (s *slab[M]) vacate(n uint32) {
	e := s.at(n)
	*e = entry[M]{flags: s.vacant, state: vacant}
	s.vacant = n + 1
	s.spare++
}

// tidy gives memory back when most entries are vacant. It changes numbers, and
// so it waits while some are taken.
func (m *Map[M]) tidy(s *shard[M]) {
	if s.spare < 64 || s.spare < s.next/2 {
		return
	}
	for n := range s.next {
		if s.at(n).state&leaving != 0 {
			return
		}
	}
	old := s.slab
	s.slab, s.index, s.hand = slab[M]{}, index{}, 0
	renumbered := make(map[uint32]uint32, len(s.pins))
	for n := range old.next {
		before := old.at(n)
		if before.state&vacant != 0 {
			continue
		}
		e, number := s.add()
		*e = *before
		m.index(s, number)
		if e.state&listed != 0 {
			renumbered[n] = number
		}
	}
	pins := s.pins
	s.pins = nil
	for _, n := range pins {
		if number, ok := renumbered[n]; ok { // else it was forgotten since
			s.pins = append(s.pins, number)
		}
	}
}
