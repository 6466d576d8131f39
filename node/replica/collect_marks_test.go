package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
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

var (
	burials   = flag.Int("burials", 2, "how many random schedules TestDeletedKeysStayDeleted runs")
	graveSeed = flag.Uint64("graves", 0, "the one schedule that TestDeletedKeysStayDeleted runs; 0: random ones")
)

// One client writes and deletes keys while nodes are cut off, killed, missed, and
// forgotten, deltas are late, and marks are forgotten early. What reads give
// in the end is what was acknowledged last, or a later attempt.
func TestDeletedKeysStayDeleted(t *testing.T) {
	if *graveSeed != 0 {
		buryAndDig(t, *graveSeed)
		return
	}
	for range *burials {
		seed := rand.Uint64()
		buryAndDig(t, seed)
		if t.Failed() {
			t.Fatalf("replay with: go test ./node/replica -run TestDeletedKeysStayDeleted -graves %d", seed)
		}
	}
}

// gravedigger is one such schedule.
type gravedigger struct {
	t    *testing.T
	m    *testMesh
	rng  *rand.Rand
	may  map[mesh.Key][]string // what a read may give
	gone *testNode
	made int
}

func buryAndDig(t *testing.T, seed uint64) {
	collecting(t, 4, func(t *testing.T, m *testMesh) {
		g := &gravedigger{t: t, m: m, rng: rand.New(rand.NewPCG(seed, 0)), may: map[mesh.Key][]string{}}
		m.mu.Lock()
		m.rng, m.delay = rand.New(rand.NewPCG(seed, 1)), 50*time.Millisecond
		m.mu.Unlock()
		collected := int64(0)
		for range 4 {
			m.lose(0.05)
			for range 30 {
				g.step()
				pause(g.rng, 2*time.Second)
			}
			m.lose(0)
			if g.gone != nil {
				if g.rng.IntN(2) == 0 {
					time.Sleep(2 * time.Second)
					g.gone.forget()
					pause(g.rng, 4*testCollectAfter)
				}
				g.gone.comeBack()
				g.gone = nil
			}
			pause(g.rng, 3*testCollectAfter)
			m.eventually("all are settled", m.settled)
			time.Sleep(20 * time.Second)
			g.check()
			for _, n := range m.nodes {
				collected += n.Collected()
			}
		}
		if collected == 0 {
			t.Error("no mark was forgotten: the schedule tests nothing")
		}
	})
}

func (g *gravedigger) step() {
	n := g.m.nodes[g.rng.IntN(len(g.m.nodes))]
	if n == g.gone {
		return
	}
	switch at := g.rng.IntN(20); {
	case at == 0 && g.gone == nil:
		g.gone = n
		n.leave()
	case at == 1:
		n.cut(true)
		pause(g.rng, 3*time.Second)
		n.cut(false)
		n.notice(true)
	case at == 2:
		n.kill()
		n.start()
		n.notice(true)
	case at < 9:
		g.write(n, true)
	default:
		g.write(n, false)
	}
}

func (g *gravedigger) write(n *testNode, deletes bool) {
	k := key(fmt.Sprint("k", g.rng.IntN(12)))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	g.made++
	value, err := fmt.Sprint(g.made), error(nil)
	if deletes {
		value = mesh.NotFound.String()
		_, err = n.now().Delete(ctx, k, WriteOptions{Quorum: 2})
	} else {
		_, err = n.now().Put(ctx, k, lattice.LWWKind, lattice.SetOp([]byte(value)), WriteOptions{Quorum: 2})
	}
	if err == nil {
		g.may[k] = []string{value}
		return
	}
	if errors.Is(err, mesh.Internal) {
		g.t.Error(err)
	}
	if g.may[k] == nil {
		g.may[k] = []string{mesh.NotFound.String()}
	}
	g.may[k] = append(g.may[k], value)
}

func (g *gravedigger) check() {
	for k, may := range g.may {
		for _, n := range g.m.nodes {
			if got := n.get(k, 2); !slices.Contains(may, got) {
				g.t.Errorf("%s reads %q of %s: expected one of %q", n.id, got, k.Name, may)
			}
		}
	}
}
