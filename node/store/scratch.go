package store

import "sync"

// scratch holds the encoded key and value of one commit; the engine copies them.
type scratch struct{ key, value []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratch is the largest buffer that is kept, so that one large value does
// not stay in memory for ever.
const maxScratch = 64 << 10

func takeScratch() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) give() {
	if cap(s.value) <= maxScratch {
		scratches.Put(s)
	}
}
