package link

import (
	"testing"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestWhatIsSentIsCountedByWhoItIsFor(t *testing.T) {
	m := newTestMesh(t)
	a, b, c := m.node(), m.node(), m.client()
	for _, size := range []int{100, maxSmallBody + 1} {
		before := b.Sent()
		for _, from := range []*Endpoint{a, c} {
			if _, err := m.connect(from, b).Call(t.Context(), &pb.Merge{Delta: make([]byte, size)}); err != nil {
				t.Fatal(err)
			}
		}
		after := b.Sent()
		for _, sent := range []uint64{after.ToNodes - before.ToNodes, after.ToClients - before.ToClients} {
			if sent < uint64(size) || sent > uint64(size)+1000 {
				t.Errorf("%d bytes sent for an answer of %d", sent, size)
			}
		}
	}
	if sent := c.Sent(); sent.ToNodes == 0 || sent.ToClients != 0 {
		t.Errorf("a client that is connected to a node has sent %+v", sent)
	}
}
