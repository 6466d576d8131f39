package store

// scratch holds the encoded key and value of one commit; the engine copies them.
type scratch struct{ key, value []byte }

// maxScratch is the largest buffer that is kept, so that one large value does
// not stay in memory for ever.
const maxScratch = 64 << 10

func (s *Store) takeScratch() *scratch {
	if kept, ok := s.scratches.Get().(*scratch); ok {
		return kept
	}
	return new(scratch)
}

func (s *Store) giveScratch(used *scratch) {
	if cap(used.value) <= maxScratch {
		s.scratches.Put(used)
	}
}
