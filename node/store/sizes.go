package store

import (
	"math/bits"
	"sync/atomic"
)

// SizeBounds are the sizes by which written records are counted, in bytes;
// larger ones are counted in Sizes.Count alone.
var SizeBounds = [...]uint64{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}

// Sizes tell of the cells, and the deltas of cells, that were written to the
// disk since the start: how many, of how many bytes together, and how many of
// them were not larger than each of SizeBounds.
type Sizes struct {
	Count, Bytes uint64
	UpTo         [len(SizeBounds)]uint64
}

// sizes counts; each size is counted once, by the smallest bound that it fits.
type sizes struct {
	bytes atomic.Uint64
	fits  [len(SizeBounds) + 1]atomic.Uint64
}

func (s *sizes) count(size int) {
	s.bytes.Add(uint64(size))
	// Bounds are the powers of 4 from 64 on.
	at := (bits.Len(uint(max(size, 1)-1)) - 5) / 2
	s.fits[min(max(at, 0), len(SizeBounds))].Add(1)
}

func (s *sizes) all() (all Sizes) {
	all.Bytes = s.bytes.Load()
	for i := range s.fits {
		all.Count += s.fits[i].Load()
		if i < len(all.UpTo) {
			all.UpTo[i] = all.Count
		}
	}
	return all
}
