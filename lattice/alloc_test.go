package lattice_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// A few bytes that announce much must not make decoding allocate for it.
func TestDecodeAllocatesByWhatIsThere(t *testing.T) {
	const perByte, fixed = 200, 16 << 10
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	for _, kind := range lattice.Kinds() {
		for _, tail := range [][]byte{{}, make([]byte, 1000), bytes.Repeat([]byte{1}, 1000), bytes.Repeat([]byte{1, 'f', 3, 6}, 250)} {
			for _, head := range [][]byte{{byte(kind)}, append([]byte{byte(kind)}, huge...), append([]byte{byte(kind), 1, 1, 'a'}, huge...)} {
				in := append(bytes.Clone(head), tail...)
				if got := allocated(func() { lattice.Decode(in) }); got > uint64(perByte*len(in)+fixed) {
					t.Errorf("%s: %d bytes allocated for %d of input", kind, got, len(in))
				}
			}
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
