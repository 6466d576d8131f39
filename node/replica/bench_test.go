package replica

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Puts of 100 bytes to three owners in one process, whose disks are memory:
// what replication itself costs.
func BenchmarkPut(b *testing.B) {
	op := lattice.SetOp(make([]byte, 100))
	for _, quorum := range []int{1, 2, 3} {
		b.Run(fmt.Sprint("W=", quorum), func(b *testing.B) {
			m := newTestMesh(b, 3)
			keys := make([]mesh.Key, 1000)
			for i := range keys {
				keys[i] = key(fmt.Sprint("k", i))
				if _, err := m.nodes[0].Put(b.Context(), keys[i], lattice.LWWKind, op, WriteOptions{Quorum: 3}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if _, err := m.nodes[0].Put(b.Context(), keys[i%len(keys)], lattice.LWWKind, op, WriteOptions{Quorum: quorum}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGetAtAnOwner(b *testing.B) {
	m := newTestMesh(b, 3)
	if _, err := m.nodes[0].set(key("k"), "v", WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	k := key("k")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.nodes[0].Get(b.Context(), k, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// Puts as of BenchmarkPut that arrive with ids, as those of clients do, and
// depart, so many at a time.
func BenchmarkBeginPut(b *testing.B) {
	for _, together := range []int{1, 32} {
		b.Run(fmt.Sprint("together=", together), func(b *testing.B) {
			m := newTestMesh(b, 3)
			at := m.nodes[0]
			puts := make([]*pb.Put, 1000)
			for i := range puts {
				puts[i] = putMessage(key(fmt.Sprint("k", i)), lattice.LWWKind, lattice.SetOp(make([]byte, 100)), WriteOptions{Quorum: 2})
				if _, err := at.HandlePut(b.Context(), puts[i]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += together {
				askers := make([]*putAsker, together)
				for i := range askers {
					askers[i] = newPutAsker()
					put := puts[(done+i)%len(puts)]
					put.WriteId = binary.BigEndian.AppendUint64(make([]byte, 8, 16), uint64(done+i))
					if !at.BeginPut(put, askers[i]) {
						b.Fatal("not begun")
					}
				}
				at.Depart()
				for _, asker := range askers {
					if answer := <-asker.told; answer.err != nil {
						b.Fatal(answer.err)
					}
				}
			}
		})
	}
}
