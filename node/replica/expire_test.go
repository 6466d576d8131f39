package replica

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// inBubble runs a test on a mesh under virtual time.
func inBubble(t *testing.T, nodes int, test func(t *testing.T, m *testMesh)) {
	synctest.Test(t, func(t *testing.T) { test(t, newTestMesh(t, nodes)) })
}

// expectsAt checks what all nodes read of a key.
func (m *testMesh) expectsAt(nodes []*testNode, k mesh.Key, want string) {
	m.t.Helper()
	for _, n := range nodes {
		for quorum := range 3 {
			if got := n.get(k, quorum); got != want {
				m.t.Errorf("%s with quorum %d reads %s of %v: want %s", n.id, quorum, got, k, want)
			}
		}
	}
}

func TestAKeyExpiresEverywhereAtOnceAndIsDeletedLater(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, m *testMesh) {
		k := key("k")
		ack, err := m.nodes[0].set(k, "v", WriteOptions{TTL: 2 * time.Second})
		mustAck(t, ack, err, 2)
		time.Sleep(2*time.Second - time.Millisecond)
		m.expectsAt(m.nodes, k, "v")
		time.Sleep(time.Millisecond)
		m.expectsAt(m.nodes, k, "NotFound")
		keys, _, err := m.nodes[4].List(t.Context(), "default", "", "", 0)
		if err != nil || len(keys) != 0 {
			t.Errorf("listed %v, %v", keys, err)
		}
		owners, _ := m.owners(k)
		m.becomes(owners, k, "deleted")
		var expired int64
		for _, n := range m.nodes {
			expired += n.Expirations()
		}
		if expired != 1 || owners[0].Expirations() != 1 {
			t.Errorf("deleted %d times, %d of them by the closest owner: want once", expired, owners[0].Expirations())
		}
		for _, n := range owners {
			cell, _, err := n.store.Get(k)
			if err != nil || !cell.ResetByExpiry() {
				t.Errorf("%s does not tell that the key expired: %v", n.id, err)
			}
		}
	})
}

func TestATouchPutsTheExpiryOff(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, m *testMesh) {
		k := key("k")
		ack, err := m.nodes[0].add(k, "a", WriteOptions{TTL: 2 * time.Second})
		mustAck(t, ack, err, 2)
		ack, err = m.nodes[1].Touch(t.Context(), k, WriteOptions{TTL: 10 * time.Second, ID: "touch"})
		mustAck(t, ack, err, 2)
		time.Sleep(5 * time.Second)
		m.expectsAt(m.nodes, k, "a")
		ack, err = m.nodes[2].Touch(t.Context(), k, WriteOptions{})
		mustAck(t, ack, err, 2)
		time.Sleep(15 * time.Second)
		m.expectsAt(m.nodes, k, "a")
		for _, n := range m.nodes {
			if _, err := n.Touch(t.Context(), key("never"), WriteOptions{TTL: time.Second}); !errors.Is(err, mesh.NotFound) {
				t.Errorf("touching a missing key at %s gave %v", n.id, err)
			}
			if _, err := n.Touch(t.Context(), k, WriteOptions{TTL: MaxTTL + 1}); !errors.Is(err, mesh.Invalid) {
				t.Errorf("too long a time to live gave %v", err)
			}
		}
		ack, err = m.nodes[3].Touch(t.Context(), k, WriteOptions{TTL: time.Second})
		mustAck(t, ack, err, 2)
		time.Sleep(time.Second)
		if _, err := m.nodes[0].Touch(t.Context(), k, WriteOptions{TTL: time.Second}); !errors.Is(err, mesh.NotFound) {
			t.Errorf("touching an expired key gave %v", err)
		}
	})
}

func TestWhatIsWrittenAfterTheExpiryStays(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		ack, err := m.nodes[0].add(k, "old", WriteOptions{TTL: time.Second})
		mustAck(t, ack, err, 2)
		time.Sleep(time.Second) // it has expired, and is not deleted yet
		ack, err = m.nodes[1].add(k, "new", WriteOptions{})
		mustAck(t, ack, err, 2)
		time.Sleep(10 * time.Second)
		m.expectsAt(m.nodes, k, "new")
	})
}

// A plain put lifts the expiry, also where its coordinator missed the write
// that set it.
func TestAPlainPutOfARegisterLiftsTheExpiry(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, _ := m.owners(k)
		owners[2].cut(true)
		ack, err := owners[0].set(k, "a", WriteOptions{TTL: 2 * time.Second})
		mustAck(t, ack, err, 2)
		owners[0].cut(true)
		owners[2].cut(false)
		time.Sleep(time.Second)
		ack, err = owners[2].set(k, "b", WriteOptions{})
		mustAck(t, ack, err, 2)
		owners[0].cut(false)
		time.Sleep(10 * time.Second)
		m.expectsAt(m.nodes, k, "b")
	})
}

// A touch that the closest owner missed wins over the expiry that it knows of.
func TestATouchElsewhereWins(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, _ := m.owners(k)
		ack, err := owners[0].add(k, "a", WriteOptions{TTL: 2 * time.Second, Quorum: 3})
		mustAck(t, ack, err, 3)
		owners[0].cut(true)
		ack, err = owners[1].Touch(t.Context(), k, WriteOptions{TTL: 10 * time.Second})
		mustAck(t, ack, err, 2)
		owners[1].cut(true) // which owes it to the closest
		owners[0].cut(false)
		time.Sleep(4 * time.Second)
		if got := owners[0].get(k, 1); got != "a" {
			t.Errorf("the closest owner reads %s", got)
		}
		owners[1].cut(false)
		time.Sleep(time.Second)
		m.expectsAt(m.nodes, k, "a")
		time.Sleep(10 * time.Second)
		m.expectsAt(m.nodes, k, "NotFound")
	})
}

func TestTheNextOwnerDeletesForADeadOne(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, _ := m.owners(k)
		ack, err := owners[1].set(k, "v", WriteOptions{TTL: 2 * time.Second, Quorum: 3})
		mustAck(t, ack, err, 3)
		owners[0].cut(true) // the others believe that it lives
		time.Sleep(10 * time.Second)
		if got := owners[1].holds(k); got != "deleted" {
			t.Errorf("the next owner holds %s", got)
		}
		owners[0].cut(false)
		m.becomes(owners, k, "deleted")
	})
}

func TestExpiriesOutliveARestartOfAllOwners(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		for i := range 20 {
			ack, err := m.nodes[0].set(key(fmt.Sprint("k", i)), "v", WriteOptions{TTL: 2 * time.Second, Quorum: 3})
			mustAck(t, ack, err, 3)
		}
		for _, n := range m.nodes {
			n.halt()
		}
		for _, n := range m.nodes {
			n.start()
		}
		time.Sleep(5 * time.Second)
		for i := range 20 {
			m.becomes(m.nodes, key(fmt.Sprint("k", i)), "deleted")
		}
	})
}

func TestNothingExpiresWithoutAQuorum(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, _ := m.owners(k)
		ack, err := owners[0].set(k, "v", WriteOptions{TTL: 2 * time.Second, Quorum: 3})
		mustAck(t, ack, err, 3)
		owners[1].cut(true)
		owners[2].cut(true)
		time.Sleep(10 * time.Second)
		if got := owners[0].holds(k); got != "v" {
			t.Errorf("without a quorum the key is %s", got)
		}
		if got := owners[0].get(k, 1); got != "Unavailable" {
			t.Errorf("it reads %s", got)
		}
		owners[1].cut(false)
		owners[2].cut(false)
		m.becomes(owners, k, "deleted")
	})
}

// A large collection expires whole: with its parts, which do not come back
// when it is begun anew.
func TestADividedCollectionExpiresWhole(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		for i := range 40 {
			var elements []string
			for j := range 10 {
				elements = append(elements, fmt.Sprintf("%02d-%d", i, j))
			}
			ack, err := m.nodes[0].Put(t.Context(), k, lattice.SetKind, lattice.AddOp(elements...), WriteOptions{TTL: 2 * time.Second})
			mustAck(t, ack, err, 2)
		}
		if v, err := m.nodes[1].Get(t.Context(), k, 2); err != nil || v.Len() != 400 || !v.Divided() {
			t.Fatalf("before it expires: %d elements, %v", v.Len(), err)
		}
		time.Sleep(time.Second)
		ack, err := m.nodes[1].add(k, "another", WriteOptions{}) // puts nothing off
		mustAck(t, ack, err, 2)
		time.Sleep(time.Second)
		m.expectsAt(m.nodes, k, "NotFound")
		ack, err = m.nodes[2].add(k, "new", WriteOptions{})
		mustAck(t, ack, err, 2)
		time.Sleep(10 * time.Second)
		m.expectsAt(m.nodes, k, "new")
	})
}
