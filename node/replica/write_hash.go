package replica

import (
	"hash/maphash"

	"github.com/virga-mesh/virga/mesh"
)

// writeHash stands for a writeID: many are remembered.
type writeHash [2]uint64

// writeHasher makes hashes that nobody can foresee.
type writeHasher [2]maphash.Seed

func newWriteHasher() writeHasher { return writeHasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (w writeHasher) of(id writeID) (h writeHash) {
	var buf [MaxWriteID + mesh.MaxNamespace + 256]byte
	raw := append(append(append(buf[:0], id.id...), 0), id.key.Namespace...)
	raw = append(append(raw, 0), id.key.Name...)
	for i, seed := range w {
		h[i] = maphash.Bytes(seed, raw)
	}
	return h
}
