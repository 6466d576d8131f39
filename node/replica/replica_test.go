package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func mustAck(t *testing.T, ack mesh.Ack, err error, replicas int) {
	t.Helper()
	if err != nil || ack.Replicas < replicas || ack.Durability != mesh.Logged {
		t.Fatalf("ack %+v, %v: want %d replicas at least, logged", ack, err, replicas)
	}
}

func TestAPutReachesAllOwnersAndIsReadEverywhere(t *testing.T) {
	m := newTestMesh(t, 5)
	for i := range 10 {
		k := key(fmt.Sprint("k", i))
		ack, err := m.nodes[i%5].set(k, "v", WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
		owners, others := m.owners(k)
		for _, n := range owners {
			if got := n.holds(k); got != "v" {
				t.Errorf("owner %s holds %s of %v", n.id, got, k)
			}
		}
		for _, n := range others {
			if got := n.holds(k); got != "nothing" {
				t.Errorf("%s, no owner, holds %s of %v", n.id, got, k)
			}
		}
		for _, n := range m.nodes {
			for quorum := range 4 {
				if got := n.get(k, quorum); got != "v" {
					t.Errorf("%s with quorum %d reads %s of %v", n.id, quorum, got, k)
				}
			}
		}
	}
}

func TestSmallMeshes(t *testing.T) {
	for n := 1; n <= 3; n++ {
		m := newTestMesh(t, n)
		ack, err := m.nodes[n-1].set(key("k"), "v", WriteOptions{})
		mustAck(t, ack, err, min(2, n))
		if got := m.nodes[0].get(key("k"), n); got != "v" {
			t.Errorf("%d nodes: read %s", n, got)
		}
		if got := m.nodes[0].get(key("never"), 0); got != "NotFound" {
			t.Errorf("%d nodes: a key that does not exist reads %s", n, got)
		}
	}
}

func TestADeadOwnerIsOwedAndPaid(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	dead := owners[2]
	mustPut(t, m, "a")
	dead.halt()
	mustPut(t, m, "b")
	dead.notice(false)
	m.eventually("the debt is noted", m.owes)
	dead.start()
	dead.notice(true)
	m.becomes([]*testNode{dead}, key("k"), "a b")
	m.eventually("the debt is forgotten", func() bool { return !m.owes() })
}

func mustPut(t *testing.T, m *testMesh, element string) {
	t.Helper()
	owners, _ := m.owners(key("k"))
	ack, err := owners[0].add(key("k"), element, WriteOptions{})
	mustAck(t, ack, err, 2)
}

func TestDebtsSurviveARestart(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	owners[2].halt()
	mustPut(t, m, "a")
	owners[0].halt()
	owners[0].start()
	owners[2].start()
	m.becomes(owners[2:], key("k"), "a")
}

func TestTooFewOwners(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	at := owners[0]
	ack, err := at.inc(key("k"), WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[1].cut(true)
	owners[2].cut(true)
	o := WriteOptions{ID: "write 1"}
	if _, err := at.inc(key("k"), o); !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "2 owners must hold the write, 1 could be reached") {
		t.Fatalf("put with two of three dead = %v, want Unavailable that names W", err)
	}
	if _, err := at.inc(key("new"), o); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("put of a new key = %v, want Unavailable", err)
	}
	if got := at.holds(key("new")); got != "nothing" {
		t.Errorf("what could not begin left %s", got)
	}
	owners[1].cut(false)
	owners[2].cut(false)
	for range 3 {
		ack, err := at.inc(key("k"), o)
		mustAck(t, ack, err, 2)
	}
	m.eventually("the debts are paid", func() bool { return !m.owes() })
	for _, n := range owners {
		if got := n.holds(key("k")); got != "2" {
			t.Errorf("%s counts %s: want 2, for a retry is the same write", n.id, got)
		}
	}
}

func TestQuorumsThatCannotBe(t *testing.T) {
	m := newTestMesh(t, 3)
	at := m.nodes[0]
	m.nodes[1].halt()
	m.nodes[1].notice(false)
	if _, err := at.set(key("k"), "v", WriteOptions{Quorum: 3}); !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "3 owners must hold the write, 2 live") {
		t.Errorf("W = 3 of 2: %v, want Unavailable that names both", err)
	}
	if _, err := at.Get(t.Context(), key("k"), 3); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("a read of 3 of 2: %v, want Unavailable", err)
	}
	for _, quorum := range []int{-1, 4} {
		if _, err := at.set(key("k"), "v", WriteOptions{Quorum: quorum}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("W = %d: %v, want Invalid", quorum, err)
		}
		if _, err := at.Get(t.Context(), key("k"), quorum); !errors.Is(err, mesh.Invalid) {
			t.Errorf("a read of %d: %v, want Invalid", quorum, err)
		}
	}
	m.nodes[2].halt()
	m.nodes[2].notice(false)
	if _, err := at.set(key("k"), "v", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("the default W with one of three: %v, want Unavailable: the two that are missing may come back, and would not know", err)
	}
	ack, err := at.set(key("k"), "v", WriteOptions{Quorum: 1})
	mustAck(t, ack, err, 1)
}

// Nodes that stand in for owners that are missing hold what is written, but
// it is acknowledged only when those hold it who are asked when they are back.
func TestStandInsAloneDoNotAcknowledge(t *testing.T) {
	m := newTestMesh(t, 5)
	k := key("k")
	owners, _ := m.owners(k)
	for _, away := range owners[1:] {
		away.halt()
		away.notice(false)
	}
	at := owners[0]
	if _, err := at.set(k, "v", WriteOptions{}); !errors.Is(err, mesh.Unavailable) || !strings.Contains(err.Error(), "others only stand in") {
		t.Errorf("with one owner and two that stand in: %v, want Unavailable", err)
	}
	if _, err := at.Get(t.Context(), k, 2); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("a quorum of one owner and one that stands in: %v, want Unavailable", err)
	}
	ack, err := at.set(k, "v", WriteOptions{Quorum: 1})
	mustAck(t, ack, err, 1)
	owners[1].start()
	owners[1].notice(true)
	ack, err = at.set(k, "w", WriteOptions{})
	mustAck(t, ack, err, 2)
}

func TestBadKeysAndKinds(t *testing.T) {
	m := newTestMesh(t, 1)
	at := m.nodes[0]
	for _, k := range []mesh.Key{{}, {Namespace: "default"}, {Namespace: "no spaces", Name: "k"}, {Namespace: "default", Name: strings.Repeat("k", mesh.MaxName+1)}} {
		if _, err := at.set(k, "v", WriteOptions{}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("put %q = %v, want Invalid", k, err)
		}
		if _, err := at.Get(t.Context(), k, 0); !errors.Is(err, mesh.Invalid) {
			t.Errorf("get %q = %v, want Invalid", k, err)
		}
		if _, err := at.Delete(t.Context(), k, WriteOptions{}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("delete %q = %v, want Invalid", k, err)
		}
	}
}

func TestKindMismatchChangesNothingAnywhere(t *testing.T) {
	m := newTestMesh(t, 5)
	ack, err := m.nodes[0].add(key("tags"), "a", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	owners, _ := m.owners(key("tags"))
	for _, n := range m.nodes {
		if _, err := n.set(key("tags"), "x", WriteOptions{}); !errors.Is(err, mesh.KindMismatch) {
			t.Errorf("put through %s = %v, want KindMismatch", n.id, err)
		}
	}
	for _, n := range owners {
		if got := n.holds(key("tags")); got != "a" {
			t.Errorf("%s holds %s", n.id, got)
		}
	}
}

func TestAnOwnerThatLostTheKeyLearnsItBeforeItWrites(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("tags"))
	owners[0].cut(true)
	ack, err := owners[1].add(key("tags"), "a", WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[0].cut(false)
	if _, err := owners[0].set(key("tags"), "x", WriteOptions{}); !errors.Is(err, mesh.KindMismatch) {
		t.Errorf("put of another kind through an owner that missed the first = %v, want KindMismatch", err)
	}
	ack, err = owners[0].add(key("tags"), "b", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	if got := owners[0].holds(key("tags")); got != "a b" {
		t.Errorf("it holds %s, want a b", got)
	}
}

func TestANewOwnerIsSentTheWholeNotTheDelta(t *testing.T) {
	m := newTestMesh(t, 4)
	owners, others := m.owners(key("tags"))
	for _, e := range []string{"a", "b"} {
		ack, err := owners[0].add(key("tags"), e, WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
	}
	owners[2].halt()
	owners[2].notice(false)
	ack, err := owners[0].add(key("tags"), "c", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	if got := others[0].holds(key("tags")); got != "a b c" {
		t.Errorf("the new owner holds %s: want a b c, or it would answer with a part", got)
	}
}

func TestReadsFallOver(t *testing.T) {
	m := newTestMesh(t, 5)
	ack, err := m.nodes[0].set(key("k"), "v", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	owners, others := m.owners(key("k"))
	for _, n := range owners[:2] {
		n.cut(true)
		if got := others[0].get(key("k"), 0); got != "v" {
			t.Errorf("read %s with the closest owners dead", got)
		}
	}
	if got := others[0].get(key("k"), 2); got != "Unavailable" {
		t.Errorf("a quorum of 2 with one owner left: %s, want Unavailable", got)
	}
	owners[2].cut(true)
	if got := others[0].get(key("k"), 0); got != "Unavailable" {
		t.Errorf("read %s with all owners dead, want Unavailable", got)
	}
}

func TestAKeyIsMissingOnlyIfMostOwnersSaySo(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("never"))
	for dead, want := range []string{"NotFound", "NotFound", "Unavailable"} {
		if got := owners[0].get(key("never"), 0); got != want {
			t.Errorf("with %d of 3 dead: %s, want %s", dead, got, want)
		}
		owners[2-dead].cut(true)
	}
}

func TestAnOwnerWithoutACopyAsksBeforeItSaysNotFound(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	owners[0].cut(true)
	ack, err := owners[1].set(key("k"), "v", WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[0].cut(false)
	if got := owners[0].get(key("k"), 0); got != "v" {
		t.Errorf("it says %s", got)
	}
	if got := owners[0].holds(key("k")); got != "v" {
		t.Errorf("it did not keep what it learned: %s", got)
	}
}

func TestAQuorumReadRepairs(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	owners, _ := m.owners(k)
	for i, n := range owners { // three owners, each with a part that the others lack
		delta, err := lattice.Cell{}.Apply(lattice.SetKind, lattice.AddOp(fmt.Sprint(i)), lattice.Write{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.store.Merge(t.Context(), k, delta, mesh.Logged); err != nil {
			t.Fatal(err)
		}
	}
	if got := owners[1].get(k, 3); got != "0 1 2" {
		t.Errorf("a quorum of 3 reads %s", got)
	}
	m.becomes(owners, k, "0 1 2")
}

func TestDelete(t *testing.T) {
	m := newTestMesh(t, 5)
	k := key("k")
	owners, others := m.owners(k)
	ack, err := others[0].set(k, "v", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	ack, err = others[1].Delete(t.Context(), k, WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	for _, n := range m.nodes {
		if got := n.get(k, 0); got != "NotFound" {
			t.Errorf("%s reads %s after the delete", n.id, got)
		}
	}
	ack, err = owners[0].add(k, "another kind", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	if got := owners[2].get(k, 0); got != "another kind" {
		t.Errorf("read %s after the key was written anew", got)
	}
	ack, err = owners[0].Delete(t.Context(), key("never"), WriteOptions{})
	mustAck(t, ack, err, 2)
}

func TestAPutAfterADeleteThatItsCoordinatorMissed(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	owners, _ := m.owners(k)
	ack, err := owners[0].set(k, "old", WriteOptions{Quorum: 3})
	mustAck(t, ack, err, 3)
	owners[0].cut(true)
	ack, err = owners[1].Delete(t.Context(), k, WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[0].cut(false)
	ack, err = owners[0].set(k, "new", WriteOptions{})
	mustAck(t, ack, err, 2)
	m.becomes(owners, k, "new")
}

func TestANonOwnerForwardsAndFallsOver(t *testing.T) {
	m := newTestMesh(t, 5)
	owners, others := m.owners(key("k"))
	owners[0].cut(true)
	ack, err := others[0].set(key("k"), "v", WriteOptions{})
	mustAck(t, ack, err, 2)
	if got := others[0].holds(key("k")); got != "nothing" {
		t.Errorf("a node that only forwards keeps %s", got)
	}
	for _, n := range owners {
		n.cut(true)
	}
	if _, err := others[0].set(key("k"), "v", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("with all owners dead: %v, want Unavailable", err)
	}
}

func TestAForwardedPutIsKeptAndHandedOn(t *testing.T) {
	m := newTestMesh(t, 5)
	owners, others := m.owners(key("k"))
	ack, err := others[0].set(key("k"), "v", WriteOptions{Forwarded: true, Quorum: 3})
	mustAck(t, ack, err, 3)
	if got := others[0].holds(key("k")); got != "v" {
		t.Errorf("the node that was taken for an owner holds %s, want v", got)
	}
	for _, n := range owners {
		if got := n.holds(key("k")); got != "v" {
			t.Errorf("owner %s holds %s", n.id, got)
		}
	}
}

func TestListJoinsAllNodes(t *testing.T) {
	m := newTestMesh(t, 5)
	for i := range 30 {
		if _, err := m.nodes[i%5].add(key(fmt.Sprintf("k%02d", i)), "x", WriteOptions{Quorum: 3}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.nodes[0].Delete(t.Context(), key("k07"), WriteOptions{Quorum: 3}); err != nil {
		t.Fatal(err)
	}
	m.nodes[4].cut(true) // one node may be missing: each key has three
	var names []string
	after, pages := "", 0
	for more := true; more; pages++ {
		keys, moreKeys, err := m.nodes[0].List(t.Context(), "default", "k", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			names = append(names, k.Name)
			after = k.Name
		}
		more = moreKeys
	}
	if len(names) != 29 || pages < 5 || strings.Contains(strings.Join(names, " "), "k07") {
		t.Errorf("%d keys on %d pages: %v", len(names), pages, names)
	}
	m.nodes[3].cut(true)
	if _, _, err := m.nodes[0].List(t.Context(), "default", "", "", 7); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("with two nodes dead: %v, want Unavailable, for a key may be missing", err)
	}
}

func TestMergePages(t *testing.T) {
	pageOf := func(more bool, names string) (p page) {
		for name := range strings.FieldsSeq(names) {
			p.keys = append(p.keys, mesh.KeyInfo{Name: name, Size: 1})
		}
		p.more = more
		return p
	}
	for _, c := range []struct {
		name  string
		pages []page
		limit int
		want  string
		more  bool
	}{
		{"nothing", nil, 3, "", false},
		{"one", []page{pageOf(false, "a b")}, 3, "a b", false},
		{"duplicates", []page{pageOf(false, "a b"), pageOf(false, "a c")}, 3, "a b c", false},
		{"over the limit", []page{pageOf(false, "a b"), pageOf(false, "c d")}, 3, "a b c", true},
		{"an incomplete page ends the list", []page{pageOf(true, "a b"), pageOf(false, "c d")}, 9, "a b", true},
		{"the first end counts", []page{pageOf(true, "a d"), pageOf(true, "b c")}, 9, "a b c", true},
	} {
		keys, more := mergePages(c.pages, c.limit)
		var names []string
		for _, k := range keys {
			names = append(names, k.Name)
		}
		if got := strings.Join(names, " "); got != c.want || more != c.more {
			t.Errorf("%s: %s, %v; want %s, %v", c.name, got, more, c.want, c.more)
		}
	}
}

func TestAWriteThatNobodyWaitsForStillReachesItsOwners(t *testing.T) {
	m := newTestMesh(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	ack, err := m.nodes[0].Put(ctx, key("k"), lattice.SetKind, lattice.AddOp("a"), WriteOptions{Quorum: 1})
	mustAck(t, ack, err, 1)
	cancel()
	m.becomes(m.nodes, key("k"), "a")
}

func TestSlowOwnersDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		m.nodes[0].Sending = 10
		ack, err := m.nodes[0].set(key("k"), "v", WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
		m.lose(1)
		overloaded := 0
		for range 20 {
			if _, err := m.nodes[0].set(key("k"), "v", WriteOptions{Quorum: 1}); errors.Is(err, mesh.Overloaded) {
				overloaded++
			}
		}
		if overloaded != 15 {
			t.Errorf("%d of 20 writes were refused, want 15: 5 of two deltas each are on their way", overloaded)
		}
		m.lose(0)
		time.Sleep(time.Second)
		ack, err = m.nodes[0].set(key("k"), "last", WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
	})
}

func TestLargeDeltasDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		at := m.nodes[0]
		at.SendingBytes = 10 << 10
		ack, err := at.set(key("k"), "v", WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
		m.lose(1)
		if _, err := at.set(key("k"), strings.Repeat("v", 6<<10), WriteOptions{Quorum: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := at.set(key("k"), "v", WriteOptions{Quorum: 1}); !errors.Is(err, mesh.Overloaded) {
			t.Errorf("put while 12 KiB are on their way = %v, want Overloaded", err)
		}
		m.lose(0)
		time.Sleep(time.Second)
		ack, err = at.set(key("k"), "last", WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
	})
}

func TestAStoppedReplicaRefuses(t *testing.T) {
	m := newTestMesh(t, 2)
	m.nodes[0].halt()
	if _, err := m.nodes[0].set(key("k"), "v", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Put = %v, want Unavailable", err)
	}
}

func TestWhatIsDamagedIsTakenFromOtherOwners(t *testing.T) {
	m := newTestMesh(t, 3)
	owners, _ := m.owners(key("k"))
	owners[0].cut(true)
	ack, err := owners[1].set(key("k"), "v", WriteOptions{})
	mustAck(t, ack, err, 2)
	owners[0].cut(false)
	owners[0].Mend(t.Context(), key("k"))
	if got := owners[0].holds(key("k")); got != "v" {
		t.Errorf("it holds %s", got)
	}
}
