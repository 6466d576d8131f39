package replica

import (
	"errors"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestARememberedWriteKeepsNothingOfWhatWasWritten(t *testing.T) {
	m := newTestMesh(t, 3)
	at := m.nodes[0]
	o := WriteOptions{ID: "write 1", Quorum: 2}
	ack, err := at.inc(key("k"), o)
	mustAck(t, ack, err, 2)
	if w := at.recent.get(writeID{o.ID, key("k")}); !w.delta.IsZero() {
		t.Errorf("the delta %v is remembered", w.delta)
	}
	m.eventually("all owners hold it", func() bool { return m.nodes[2].holds(key("k")) == "1" })
	o.Quorum = 3 // more than was reached: the same write is brought to the owners once more
	ack, err = at.inc(key("k"), o)
	mustAck(t, ack, err, 3)
	for _, n := range m.nodes {
		if got := n.holds(key("k")); got != "1" {
			t.Errorf("%s counts %s: want 1, for a retry is the same write", n.id, got)
		}
	}
}

func TestLongWriteIDs(t *testing.T) {
	at := newTestMesh(t, 1).nodes[0]
	if _, err := at.inc(key("k"), WriteOptions{ID: strings.Repeat("i", MaxWriteID+1)}); !errors.Is(err, mesh.Invalid) {
		t.Errorf("put with an id of %d bytes = %v, want Invalid", MaxWriteID+1, err)
	}
	ack, err := at.inc(key("k"), WriteOptions{ID: strings.Repeat("i", MaxWriteID)})
	mustAck(t, ack, err, 1)
}
