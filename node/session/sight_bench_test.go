package session

import (
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// manyRead is a sight of so many reads by three nodes.
func manyRead(n int) *sight {
	t := &sight{}
	for i := range n {
		holder := mesh.NodeID(fmt.Sprintf("a node id of thirty-eight bytes %07d", i%3))
		t.look(glance{key: key(fmt.Sprintf("%08d", i)), version: uint64(i + 1), holder: holder})
	}
	return t
}

func BenchmarkSight(b *testing.B) {
	for _, reads := range []int{2, 8, 32} {
		t := manyRead(reads)
		b.Run(fmt.Sprintf("encode/%d", reads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(t.encode(lattice.Past{}))))
			}
		})
		raw := t.encode(lattice.Past{})
		b.Run(fmt.Sprintf("decode/%d", reads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decodeSight(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
