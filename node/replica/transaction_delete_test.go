package replica

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

func TestADeleteIsMadeAgainAfterTheKeyWasWrittenAnew(t *testing.T) {
	m := newTestMesh(t, 5)
	k := key("k")
	owners, others := m.owners(k)
	owners[0].mustWrite(k, "old", WriteOptions{Quorum: 3})
	at, later := drawn(time.Now()), drawn(time.Now().Add(time.Second))
	owners[1].mustWrite(k, "nothing", within(at))
	owners[2].mustWrite(k, "anew", within(later))
	for _, n := range []*testNode{owners[0], others[0]} {
		n.mustWrite(k, "nothing", sealing(at, at))
	}
	m.wantsReading(m.nodes, k, shown{"anew", later, later, false})
}

// A delete that comes late does not end what was written later than it, without
// knowing of it, where its owner knows of that.
func TestADeleteComesLateAndAPut(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	owners, _ := m.owners(k)
	owners[0].mustWrite(k, "old", WriteOptions{Quorum: 3})
	at, late, later := drawn(time.Now()), drawn(time.Now().Add(time.Second)), drawn(time.Now().Add(2*time.Second))
	owners[2].cut(true)
	anew := within(later)
	anew.Quorum = 2
	owners[0].mustWrite(k, "anew", anew)
	owners[2].cut(false)
	o := within(at)
	o.AfterMost = true
	owners[2].mustWrite(k, "nothing", o)
	o = within(late)
	o.AfterMost, o.Made, o.TellBytes = true, &lattice.Cell{}, 1000
	owners[1].mustWrite(k, "late", o)
	if value, _ := o.Made.Value(); describeValue(value) != "anew" {
		t.Errorf("the late write takes along %s", describeValue(value))
	}
	m.becomes(owners, k, "anew")
	m.wantsReading(m.nodes, k, shown{"anew", later, later, false})
	for _, n := range owners {
		if cell, _, err := n.store.Get(k); err != nil || cell.ResetAt() != at {
			t.Errorf("%s knows of the delete at %v, %v", n.id, cell.ResetAt(), err)
		}
	}
}

func TestWhatWasDeletedLaterStaysDeleted(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	owners, _ := m.owners(k)
	at, later := drawn(time.Now()), drawn(time.Now().Add(time.Second))
	owners[0].mustWrite(k, "v", within(at))
	owners[2].cut(true)
	gone := within(later)
	gone.Quorum = 2
	owners[0].mustWrite(k, "nothing", gone)
	owners[2].cut(false)
	owners[2].mustWrite(k, "v", sealing(at, at)) // does not know of the delete
	m.wantsReading(m.nodes, k, shown{"nothing", later, later, false})
	owners[1].mustWrite(k, "nothing", within(at))
	m.wantsReading(m.nodes, k, shown{"nothing", later, later, false})
}

func TestTheLatestStampOfAKeyThatExpires(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		ack, err := m.nodes[0].set(k, "v", WriteOptions{})
		mustAck(t, ack, err, 2)
		before, err := m.nodes[1].Read(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		ack, err = m.nodes[0].Touch(t.Context(), k, WriteOptions{TTL: 100 * time.Millisecond})
		mustAck(t, ack, err, 2)
		touched, err := m.nodes[1].ReadConfirmed(t.Context(), k)
		if err != nil || !touched.Latest().After(before.Latest()) {
			t.Errorf("touched: latest %v, before %v, %v", touched.Latest(), before.Latest(), err)
		}
		time.Sleep(100 * time.Millisecond)
		read, err := m.nodes[1].Read(t.Context(), k)
		if err != nil || read.Found || read.Latest().Physical().Before(time.Now()) {
			t.Errorf("found %v, latest %v, %v", read.Found, read.Latest(), err)
		}
		time.Sleep(5 * time.Second)
		again, err := m.nodes[1].Read(t.Context(), k)
		if err != nil || again.Latest() != read.Latest() {
			t.Errorf("once it is deleted: latest %v, before %v, %v", again.Latest(), read.Latest(), err)
		}
	})
}

func TestAWriteOfATransactionLiftsAnExpiry(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		ack, err := m.nodes[0].set(k, "v", WriteOptions{TTL: time.Second})
		mustAck(t, ack, err, 2)
		read, err := m.nodes[1].ReadConfirmed(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		at := lattice.Stamp{Time: read.Latest().Time + 1, Node: "home"}
		ack, err = m.nodes[2].set(k, "kept", within(at))
		mustAck(t, ack, err, 3)
		time.Sleep(time.Minute)
		m.wantsReading(m.nodes, k, shown{"kept", at, at, false})
	})
}
