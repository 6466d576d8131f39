package store

import "testing"

func TestSizesAreCountedByTheSmallestBoundThatFits(t *testing.T) {
	for _, bound := range append([]uint64{0, 1}, SizeBounds[:]...) {
		for _, size := range []uint64{bound, bound + 1, 2 * bound} {
			var s sizes
			s.count(int(size))
			got := s.all()
			if got.Count != 1 || got.Bytes != size {
				t.Errorf("%d bytes are counted as %d of %d", size, got.Count, got.Bytes)
			}
			for i, upTo := range SizeBounds {
				if want := size <= upTo; (got.UpTo[i] == 1) != want {
					t.Errorf("%d bytes count among those up to %d: %v", size, upTo, !want)
				}
			}
		}
	}
}
