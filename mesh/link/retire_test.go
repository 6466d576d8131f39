package link

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// A connection that was replaced still brings what the peer sent on it, and ends.
func TestAReplacedConnectionIsServedForAWhile(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	old := m.connect(a, b)
	a.mu.Lock()
	a.peers.remove(old) // as if a had lost sight of it
	a.mu.Unlock()
	fresh := m.connect(a, b)
	if fresh == old {
		t.Fatal("the connection that was forgotten is given")
	}
	began := time.Now()
	if _, err := old.Call(t.Context(), &pb.Put{}); err != nil {
		t.Errorf("a call on the replaced connection: %v", err)
	}
	if _, err := fresh.Call(t.Context(), &pb.Put{}); err != nil {
		t.Errorf("a call on the new one: %v", err)
	}
	select {
	case <-old.Done():
	case <-time.After(10 * retirement):
		t.Fatal("the replaced connection does not end")
	}
	if lasted := time.Since(began); lasted > 5*retirement {
		t.Errorf("it lasted for %v, want %v", lasted, retirement)
	}
	if conn, ok := a.Conn(b.ID()); !ok || conn != fresh {
		t.Error("the new connection does not stand")
	}
}
