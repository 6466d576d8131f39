package replica

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

const testCollectAfter = 40 * time.Second

// collecting runs a test on a mesh whose marks are forgotten early, in virtual time.
func collecting(t *testing.T, nodes int, test func(t *testing.T, m *testMesh)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, startTestMesh(&testMesh{t: t, collectAfter: testCollectAfter, interval: 5 * time.Second}, nodes))
	})
}

func (n *testNode) mustDelete(k mesh.Key) {
	n.mesh.t.Helper()
	if _, err := n.Delete(context.Background(), k, WriteOptions{}); err != nil {
		n.mesh.t.Fatal(err)
	}
}

func (n *testNode) mustSet(k mesh.Key, value string) {
	n.mesh.t.Helper()
	if _, err := n.set(k, value, WriteOptions{}); err != nil {
		n.mesh.t.Fatal(err)
	}
}

// leave ends a node that the others then miss.
func (n *testNode) leave() {
	n.halt()
	n.notice(false)
}

// comeBack starts a node again, which the others see.
func (n *testNode) comeBack() {
	n.start()
	n.notice(true)
}

// forget is what an operator says of a node that is missing.
func (n *testNode) forget() {
	n.mesh.mu.Lock()
	n.forgotten = true
	n.mesh.mu.Unlock()
	for _, other := range n.mesh.nodes {
		if other.runs() {
			other.now().ViewChanged()
		}
	}
}

// marks counts those that nodes hold.
func (m *testMesh) marks() (count int) {
	for _, n := range m.nodes {
		if !n.runs() {
			continue
		}
		dead, _, _, err := n.store.Tombstones(context.Background(), 0, 1000)
		if err != nil {
			m.t.Fatal(err)
		}
		count += len(dead)
	}
	return count
}

func TestMarksAreForgottenByAll(t *testing.T) {
	collecting(t, 5, func(t *testing.T, m *testMesh) {
		for i := range 20 {
			k := key(fmt.Sprint("k", i))
			m.nodes[i%5].mustSet(k, "x")
			m.nodes[(i+1)%5].mustDelete(k)
		}
		time.Sleep(testCollectAfter - time.Second)
		if m.marks() != 3*20 {
			t.Errorf("%d marks before their time, want 60", m.marks())
		}
		time.Sleep(2 * testCollectAfter)
		if m.marks() != 0 {
			t.Errorf("%d marks are left, or came back", m.marks())
		}
		for _, n := range m.nodes {
			if got := n.get(key("k3"), 2); got != mesh.NotFound.String() {
				t.Errorf("%s reads %q", n.id, got)
			}
		}
		m.nodes[0].mustSet(key("k3"), "anew")
		owners, _ := m.owners(key("k3"))
		m.becomes(owners, key("k3"), "anew")
	})
}

func TestAMarkThatOneOwnerKeptKillsNothingNew(t *testing.T) {
	collecting(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		m.nodes[0].mustSet(k, "old")
		m.nodes[0].mustDelete(k)
		time.Sleep(testCollectAfter)
		left := m.nodes[2]
		for _, n := range m.nodes[:2] { // as if the third had not heard of it
			mark, _, err := n.store.Tombstone(k)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := n.store.Collect(t.Context(), k, mark.Digest); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		left.cut(true)
		m.nodes[0].mustSet(k, "new")
		left.cut(false)
		left.notice(true)
		m.becomes(m.nodes, k, "new")
		time.Sleep(time.Minute)
		m.becomes(m.nodes, k, "new")
	})
}

func TestAMissingMemberKeepsMarksAndOneThatIsForgottenBringsNothingBack(t *testing.T) {
	collecting(t, 4, func(t *testing.T, m *testMesh) {
		dead, living := key("dead"), key("living")
		owners, _ := m.owners(dead)
		away, here := owners[2], owners[0]
		here.mustSet(dead, "old")
		here.mustSet(living, "old")
		m.becomes(owners, dead, "old")
		away.leave()
		here.mustDelete(dead)
		time.Sleep(5 * testCollectAfter)
		if m.marks() == 0 {
			t.Fatal("marks were forgotten while a member that holds what was deleted was missing")
		}
		away.forget()
		time.Sleep(2 * testCollectAfter)
		if m.marks() != 0 {
			t.Fatalf("%d marks are left", m.marks())
		}
		away.comeBack()
		m.eventually("all are settled", m.settled)
		time.Sleep(time.Minute)
		for _, n := range m.nodes {
			if got := n.get(dead, 2); got != mesh.NotFound.String() {
				t.Errorf("%s reads %q of what was deleted", n.id, got)
			}
			if got := n.get(living, 2); got != "old" {
				t.Errorf("%s reads %q of what lives", n.id, got)
			}
		}
		if !slices.ContainsFunc(away.aside, func(r mesh.Record) bool { return r.Key == dead }) || away.SetAside() == 0 {
			t.Errorf("%d records were set aside, and not the one that was deleted", len(away.aside))
		}
	})
}

func TestANodeThatOnlyMissedAWhileMergesWhatItHolds(t *testing.T) {
	collecting(t, 3, func(t *testing.T, m *testMesh) {
		m.nodes[0].mustSet(key("a"), "x")
		away := m.nodes[2]
		m.becomes(m.nodes, key("a"), "x")
		away.leave()
		away.forget()
		time.Sleep(5 * testCollectAfter) // nothing was deleted meanwhile
		away.comeBack()
		m.eventually("all are settled", m.settled)
		if len(away.aside) > 0 || away.holds(key("a")) != "x" {
			t.Errorf("%d records set aside; it holds %q", len(away.aside), away.holds(key("a")))
		}
	})
}

func TestWhoIsOwedSomethingOfAKeyKeepsItsMark(t *testing.T) {
	collecting(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		m.nodes[0].mustSet(k, "x")
		m.nodes[0].mustDelete(k)
		if err := m.nodes[1].store.AddHint("elsewhere", k, lattice.NewCell(lattice.Stamp{Time: 1}, lattice.Value{})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * testCollectAfter)
		if m.marks() != 3 {
			t.Errorf("%d marks are left, want 3", m.marks())
		}
		if _, err := m.nodes[1].store.DropHints(t.Context(), func(mesh.NodeID, mesh.Key) bool { return true }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(testCollectAfter)
		if m.marks() != 0 {
			t.Errorf("%d marks are left", m.marks())
		}
	})
}
