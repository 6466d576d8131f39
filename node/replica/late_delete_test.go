package replica

import (
	"errors"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// A delete that only a node has which is cut off was not acknowledged. It comes
// when that node is back, ends what was written without knowing of it, and
// brings along what was put on top of it.
func TestADeleteThatFailedComesLateWithWhatWasPutOnIt(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		alone, other := m.nodes[0], m.nodes[1]
		ack, err := other.set(k, "first", WriteOptions{})
		mustAck(t, ack, err, 2)
		m.becomes(m.nodes, k, "first")
		alone.cut(true)
		if _, err := alone.Delete(t.Context(), k, WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
			t.Fatalf("a delete at a node that is cut off: %v", err)
		}
		if _, err := alone.set(k, "on top", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
			t.Fatalf("a put at a node that is cut off: %v", err)
		}
		ack, err = other.set(k, "elsewhere", WriteOptions{})
		mustAck(t, ack, err, 2)
		alone.cut(false)
		alone.notice(true)
		m.becomes(m.nodes, k, "on top")
	})
}
