package replica

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// incOf increments a counter that is a key's value, or in a field of it.
func incOf(kind lattice.Kind) lattice.Op {
	if kind == lattice.GCounterKind {
		return lattice.IncOp(1)
	}
	return lattice.PutOp("hits", lattice.PNCounterKind, lattice.IncOp(1))
}

// counts is what a node's own copy of a key counts.
func (n *testNode) counts(k mesh.Key) int64 {
	cell, _, err := n.store.Get(k)
	if err != nil {
		n.mesh.t.Fatal(err)
	}
	v, _ := cell.Value()
	if field, ok := v.Field("hits"); ok {
		v = field
	}
	count, _ := v.Count()
	return count
}

func (n *testNode) countWithin(k mesh.Key, kind lattice.Kind, o WriteOptions) (mesh.Ack, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return n.now().Put(ctx, k, kind, incOf(kind), o)
}

// The first coordinator of an increment has it alone, and is away while it is
// made again through another owner. Then it comes back.
func TestARetryIsCountedOnceThoughItsFirstCoordinatorComesBack(t *testing.T) {
	ways := map[string]struct{ leave, comeBack func(*testNode) }{
		"that was cut off":      {func(n *testNode) { n.cut(true) }, func(n *testNode) { n.cut(false) }},
		"that was stopped":      {(*testNode).halt, (*testNode).start},
		"that was killed":       {(*testNode).kill, (*testNode).start},
		"that lost what it had": {func(n *testNode) { n.crash(0) }, (*testNode).start},
	}
	for name, way := range ways {
		for _, kind := range []lattice.Kind{lattice.GCounterKind, lattice.MapKind, lattice.ORMapKind} {
			t.Run(fmt.Sprint(kind, " and a coordinator ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { comesBack(t, kind, way.leave, way.comeBack) })
			})
		}
	}
}

func comesBack(t *testing.T, kind lattice.Kind, leave, comeBack func(*testNode)) {
	m := newTestMesh(t, 3)
	time.Sleep(firmAfter) // so that all remember as far back as the first attempt, and records go
	k := key("k")
	owners, _ := m.owners(k)
	ack, err := owners[0].countWithin(k, kind, WriteOptions{ID: "before", Quorum: 3})
	mustAck(t, ack, err, 3)
	for _, others := range owners[1:] {
		others.cut(true)
	}
	if _, err := owners[0].countWithin(k, kind, WriteOptions{ID: "w"}); err == nil {
		t.Fatal("acknowledged by an owner that has it alone")
	}
	leave(owners[0])
	for _, others := range owners[1:] {
		others.cut(false)
	}
	owners[0].notice(false)
	ack, err = owners[1].countWithin(k, kind, WriteOptions{ID: "w", RetryAge: time.Second})
	mustAck(t, ack, err, 2)
	ack, err = owners[2].countWithin(k, kind, WriteOptions{ID: "beside"})
	mustAck(t, ack, err, 2)
	comeBack(owners[0])
	owners[0].notice(true)
	m.eventually("all are settled", m.settled)
	m.eventually("all debts are paid", func() bool { return !m.owes() })
	m.allCount(k, 3)
	for i, at := range owners { // and what shows that it is the same write goes, where it can
		ack, err = at.countWithin(k, kind, WriteOptions{ID: fmt.Sprint("after-", i), Quorum: 3})
		mustAck(t, ack, err, 3)
	}
	m.allCount(k, 6)
}

// allCount waits until all nodes hold the same of a key, and looks what they count.
func (m *testMesh) allCount(k mesh.Key, want int64) {
	m.t.Helper()
	m.converge(k)
	for _, n := range m.nodes {
		if got := n.counts(k); got != want {
			m.t.Errorf("%s counts %d of %v: want %d", n.id, got, k, want)
		}
	}
}

// hasRecord reports whether a node's copy of a counter has the record of a write.
func (n *testNode) hasRecord(id string) bool { return n.counted(writeID{id, key("k")}) }

// The record of a write goes with the next increment, once so many owners have
// the write that whoever makes it again finds out.
func TestTheRecordOfAFirmWriteGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		owners, _ := m.owners(key("k"))
		at := owners[0]
		next := 0
		inc := func() {
			next++
			ack, err := at.inc(key("k"), WriteOptions{ID: fmt.Sprint("w", next), Quorum: 3})
			mustAck(t, ack, err, 3)
		}
		inc()
		inc()
		if !at.hasRecord("w1") {
			t.Error("a record has gone though the owners were started just before")
		}
		time.Sleep(firmAfter)
		inc()
		inc()
		for _, n := range owners {
			if n.hasRecord("w3") || !n.hasRecord("w4") || !n.hasRecord("w1") {
				t.Errorf("%s has not dropped the record of the firm write alone", n.id)
			}
		}
		// Now an owner lets another go first, and hears of the write only then.
		m.ask(owners[2], owners[1], fmt.Sprint("w", next+1))
		inc()
		inc()
		if !at.hasRecord("w5") {
			t.Error("the record of a write has gone that another owner was to make")
		}
		owners[1].cut(true) // with two of three it is firm still
		ack, err := at.inc(key("k"), WriteOptions{ID: "of two"})
		mustAck(t, ack, err, 2)
		m.eventually("the debt is noted", m.owes)
		owners[1].cut(false)
		m.eventually("the debt is paid", func() bool { return !m.owes() })
		inc()
		if at.hasRecord("of two") {
			t.Error("the record of a write stays that two of three owners have")
		}
		m.allCount(key("k"), 8)
	})
}

// ask asks a node whether it has a write for another that wants to make it, and gives that up.
func (m *testMesh) ask(n, by *testNode, id string) {
	m.t.Helper()
	by.memory.Claim(writeID{id, key("k")}, time.Now())
	defer by.memory.Unclaim(writeID{id, key("k")})
	reply, err := n.HandleAskWrite(by.id, &pb.AskWrite{Key: wire.FromKey(key("k")), WriteId: []byte(id)})
	if err != nil || reply.Standing != uint32(unheard) {
		m.t.Fatalf("%v, %v: want unheard", reply, err)
	}
}

// An owner that was started since an attempt knows from its copy that it has the write.
func TestAnOwnerKnowsFromItsCopyWhatItCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 3)
		owners, _ := m.owners(key("k"))
		for _, others := range owners[1:] {
			others.cut(true)
		}
		if _, err := owners[0].inc(key("k"), WriteOptions{ID: "w", Quorum: 1}); err != nil {
			t.Fatal(err)
		}
		owners[0].kill()
		owners[0].start()
		for _, others := range owners[1:] {
			others.cut(false)
		}
		for _, at := range owners {
			ack, err := at.inc(key("k"), WriteOptions{ID: "w", RetryAge: time.Hour})
			mustAck(t, ack, err, 2)
		}
		m.allCount(key("k"), 1)
	})
}
