package replica

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// The first owner makes a write, and nobody hears of it. A second one makes it, and
// somebody writes over that. The first one's clock is a second ahead, less than
// what it may be without being asked again: what it has made loses all the same.
func TestAWriteThatIsPassedOnAgainIsStampedLater(t *testing.T) {
	for _, what := range []string{"passed on", "nothing"} { // a put, and a delete
		inBubble(t, 3, func(t *testing.T, m *testMesh) {
			first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
			k := key("k")
			first.mustWrite(k, "before", WriteOptions{})
			m.becomes(m.nodes, k, "before")

			by := first.Horizon(stampSlack)
			mustObserve(t, first, first.Horizon(stampSlack-time.Millisecond)) // it is so far ahead
			second.cut(true)
			third.cut(true)
			passed := WriteOptions{Forwarded: true, ID: "w", StampBy: by}
			if ack, err := first.writeOf(k, what, passed); mesh.KindOf(err) != mesh.Unavailable {
				t.Errorf("%s, alone: %+v, %v", what, ack, err)
			}
			second.cut(false)
			third.cut(false)
			first.cut(true)
			passed.RetryAge, passed.StampAfter, passed.StampBy = 200*time.Millisecond, by, 0
			second.mustWrite(k, what, passed)
			second.mustWrite(k, "later", WriteOptions{})
			first.cut(false)
			m.becomes(m.nodes, k, "later")
		})
	}
}

func mustObserve(t *testing.T, n *testNode, at uint64) {
	t.Helper()
	if err := n.Observe(lattice.Stamp{Time: at}); err != nil {
		t.Fatal(err)
	}
}

// An owner whose clock is further ahead than it may be makes nothing, and says
// what the stamp would be; who passes the write on then lets it have that.
func TestAnOwnerWhoseClockIsAheadIsAskedAgain(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, others := m.owners(k)
		for _, n := range owners {
			mustObserve(t, n, n.Horizon(30*time.Second))
		}
		for _, value := range []string{"put", "nothing", "put again"} {
			others[0].mustWrite(k, value, WriteOptions{})
			if value != "nothing" {
				m.becomes(owners, k, value)
			}
		}
		m.becomes(owners, k, "put again")

		by := owners[0].Horizon(time.Second)
		reply, err := owners[0].HandlePut(t.Context(), putMessage(k, lattice.LWWKind, lattice.SetOp([]byte("late")), WriteOptions{Forwarded: true, ID: "w", StampBy: by}))
		if err != nil || reply.TooLate <= by {
			t.Errorf("a stamp by %d: told %d, %v", by, reply.GetTooLate(), err)
		}
		m.becomes(owners, k, "put again")
	})
}
