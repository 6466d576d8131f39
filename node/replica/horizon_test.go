package replica

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// The first owner makes a write, and nobody hears of it. A second one makes it, and
// somebody writes over that. The first one's clock is ahead, by less than what it
// may be without being asked again: what it has made loses all the same.
func TestAWriteThatIsPassedOnAgainIsStampedLater(t *testing.T) {
	ofAPutAndADelete(t, func(m *testMesh, k mesh.Key, what string) {
		first, second, third := m.nodes[0], m.nodes[1], m.nodes[2]
		by := first.Horizon(mesh.FreshFor(0))
		mustObserve(m.t, first, first.Horizon(mesh.FreshFor(0)-time.Millisecond)) // it is so far ahead
		second.cut(true)
		third.cut(true)
		passed := WriteOptions{Forwarded: true, ID: "w", StampBy: by}
		first.mustFail(k, what, passed)
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

// What a second owner was passed on is stamped ahead of the clocks. It is
// acknowledged when that is over: an owner that has missed it, since it was
// away, writes over it.
func TestWhatIsPassedOnAgainIsWrittenOverByWhoHasMissedIt(t *testing.T) {
	for _, what := range []string{"passed on", "nothing"} {
		inBubble(t, 4, func(t *testing.T, m *testMesh) {
			k := key("k")
			owners, others := m.owners(k)
			others[0].mustWrite(k, "before", WriteOptions{})
			m.becomes(owners, k, "before")
			owners[0].cut(true)
			others[0].mustWrite(k, what, WriteOptions{})
			owners[0].cut(false)
			owners[0].mustWrite(k, "later", WriteOptions{})
			m.becomes(owners, k, "later")
		})
	}
}

// An owner that was silent before was sent nothing, and has stamped nothing: the
// write has no lead to wait for. All time here is virtual.
func TestWhatWasNeverSentHasNoLead(t *testing.T) {
	for _, silent := range []bool{true, false} {
		inBubble(t, 4, func(t *testing.T, m *testMesh) {
			k := key("k")
			owners, others := m.owners(k)
			others[0].mustWrite(k, "before", WriteOptions{})
			m.becomes(owners, k, "before")
			owners[0].silent = silent
			owners[0].cut(true)
			began := time.Now()
			others[0].mustWrite(k, "passed on", WriteOptions{})
			if waits := time.Since(began) >= mesh.FreshFor(0); waits == silent {
				t.Errorf("silent before: %v; acknowledged after %v", silent, time.Since(began))
			}
			owners[0].silent = false
			owners[0].cut(false)
			m.becomes(owners, k, "passed on")
		})
	}
}

func mustObserve(t testing.TB, n *testNode, at uint64) {
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

// An owner that has a write, and is sent another version of it, answers with its
// own, which the sender then shows, too.
func TestAnOwnerAnswersAnotherVersionOfAWriteWithItsOwn(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		at := m.nodes[1]
		at.mustWrite(k, "one", WriteOptions{Forwarded: true, ID: "w"})
		one, _, err := at.Local.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		one = one.Clone()
		sent := func() []byte {
			reply, err := at.HandleMerge(t.Context(), &pb.Merge{Key: wire.FromKey(k), Delta: one.AppendBinary(nil), WriteIds: [][]byte{[]byte("w")}})
			if err != nil {
				t.Fatal(err)
			}
			return reply.Cell
		}
		if cell := sent(); len(cell) > 0 {
			t.Errorf("sent what it has, it answers with %d bytes", len(cell))
		}
		at.mustWrite(k, "other", WriteOptions{})
		other, err := lattice.DecodeCell(sent())
		if value, _ := other.Value(); err != nil || describeValue(value) != "other" {
			t.Errorf("it answers with %v, %v", value, err)
		}
	})
}
