package replica

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var later = WriteOptions{Behind: true}

func TestAWriteThatIsMadeLaterIsSeenWhereItWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 5)
		for i := range 20 {
			k, n := key(fmt.Sprint("k", i%4)), m.nodes[i%5]
			ack, err := n.set(k, fmt.Sprint(i), WriteOptions{Behind: true, Quorum: 3})
			if err != nil || ack != (mesh.Ack{Durability: mesh.Logged}) {
				t.Fatalf("ack %+v, %v: want one that no owner holds", ack, err)
			}
			if got := n.get(k, 1); got != fmt.Sprint(i) {
				t.Errorf("%s took %d and reads %s", n.id, i, got)
			}
		}
	})
}

// Writes that were taken are made when owners can be reached again, in order
// and once, also by a node that was killed meanwhile.
func TestWritesThatAreMadeLaterSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 4)
		k, counted := key("k"), key("counter")
		_, others := m.owners(k)
		taker := others[0]
		for _, n := range m.nodes {
			if n != taker {
				n.cut(true)
			}
		}
		const writes = 10
		for i := range writes {
			if _, err := taker.set(k, fmt.Sprint(i), later); err != nil {
				t.Fatal(err)
			}
			if _, err := taker.Put(t.Context(), counted, lattice.GCounterKind, lattice.IncOp(1), later); err != nil {
				t.Fatal(err)
			}
		}
		if n := taker.Pending(); n != 2*writes {
			t.Errorf("%d writes are pending, want %d", n, 2*writes)
		}
		taker.kill()
		taker.start()
		for _, n := range m.nodes {
			n.cut(false)
			n.notice(true)
		}
		m.eventually("all writes were made", func() bool { return taker.Pending() == 0 && taker.get(k, 2) == fmt.Sprint(writes-1) })
		m.eventually("each is counted", func() bool { return taker.get(counted, 2) == fmt.Sprint(writes) })
		taker.kill()
		taker.start()
		m.eventually("none is made again", func() bool { return taker.Pending() == 0 })
		if got := taker.get(counted, 2); got != fmt.Sprint(writes) {
			t.Errorf("%s are counted, want %d", got, writes)
		}
	})
}

func TestTooManyWritesForLaterAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 2)
		m.nodes[0].Behind = 3
		m.nodes[1].cut(true)
		k := key("k")
		o := WriteOptions{Behind: true, Quorum: 2}
		for range 3 {
			if _, err := m.nodes[0].set(k, "v", o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.nodes[0].set(k, "v", o); !errors.Is(err, mesh.Overloaded) {
			t.Errorf("the fourth: %v, want Overloaded", err)
		}
		m.nodes[1].cut(false)
		m.eventually("the others are made", func() bool { return m.nodes[0].Pending() == 0 })
	})
}

func TestAWriteForLaterThatCannotBeMadeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 1)
		n, k := m.nodes[0], key("k")
		if _, err := n.set(k, "v", WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.add(k, "e", later); err != nil {
			t.Fatal(err)
		}
		if got := n.get(k, 1); got != "v" || n.Pending() != 0 {
			t.Errorf("%s is read with %d writes pending, want v and none", got, n.Pending())
		}
	})
}
