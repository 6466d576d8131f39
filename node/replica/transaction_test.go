package replica

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// drawn is a stamp as a transaction draws it, later than what is there.
func drawn(at time.Time) lattice.Stamp {
	return lattice.Stamp{Node: "home"}.Next(at.Add(10 * time.Millisecond))
}

// within are the options of a write of a transaction.
func within(at lattice.Stamp) WriteOptions {
	return WriteOptions{At: at, Causes: &lattice.Past{}, Wrote: &Wrote{}, Quorum: 3}
}

// sealing are those of the write once more, when the transaction wrote up to a time of a node.
func sealing(at, upTo lattice.Stamp) WriteOptions {
	o := within(at)
	all := lattice.PastOf(upTo)
	o.Causes, o.Sealed = &all, true
	return o
}

// writeOf sets a key, or deletes it where the value is nothing.
func (n *testNode) writeOf(k mesh.Key, value string, o WriteOptions) (mesh.Ack, error) {
	if value == "nothing" {
		return n.Delete(context.Background(), k, o)
	}
	return n.set(k, value, o)
}

func (n *testNode) mustWrite(k mesh.Key, value string, o WriteOptions) {
	n.mesh.t.Helper()
	if ack, err := n.writeOf(k, value, o); err != nil || ack.Replicas < o.Quorum {
		n.mesh.t.Fatalf("%s has written %v: %+v, %v", n.id, k, ack, err)
	}
}

// shown is what is to be read of a key: a value, or nothing, and what wrote it.
type shown struct {
	value       string
	latest      lattice.Stamp
	transaction lattice.Stamp
	sealed      bool
}

func (m *testMesh) wantsReading(nodes []*testNode, k mesh.Key, want shown) {
	m.t.Helper()
	owners, _ := m.owners(k)
	for _, n := range nodes {
		reads := map[string]func(context.Context, mesh.Key) (Reading, error){", confirmed": n.ReadConfirmed}
		if slices.Contains(owners, n) {
			reads[""] = n.Read
		}
		for name, read := range reads {
			read, err := read(context.Background(), k)
			got := shown{value: "nothing", latest: read.Latest()}
			got.transaction, got.sealed = read.Transaction()
			if read.Found {
				got.value = describeValue(read.Value)
			}
			if err != nil || got != want {
				m.t.Errorf("%s reads of %v%s %+v, %v: want %+v", n.id, k, name, got, err, want)
			}
		}
	}
}

func TestATransactionWritesKeysThroughTheirOwners(t *testing.T) {
	m := newTestMesh(t, 5)
	a, b := key("a"), key("b")
	ownersOfA, others := m.owners(a)
	ownersOfB, _ := m.owners(b)
	at := drawn(time.Now().Add(time.Second)) // by a clock that is ahead
	for k, n := range map[mesh.Key]*testNode{a: ownersOfA[1], b: ownersOfB[2]} {
		o := within(at)
		n.mustWrite(k, "v", o)
		if wrote := o.Wrote.Made(); wrote.Of(at.Node) != at.Time || wrote.Of(string(n.id)) <= at.Time || wrote.Len() != 2 {
			t.Errorf("the write of %v at %s is %v", k, n.id, wrote)
		}
	}
	m.wantsReading(m.nodes, a, shown{"v", at, at, false})
	m.wantsReading(m.nodes, b, shown{"v", at, at, false})

	later := drawn(time.Now().Add(2 * time.Second))
	ownersOfA[0].mustWrite(a, "later", within(later))
	for _, n := range []*testNode{ownersOfA[2], others[0], ownersOfA[0]} { // again
		o := within(at)
		n.mustWrite(a, "v", o)
		if o.Wrote.Made().Len() < 2 {
			t.Errorf("the write through %s is %v", n.id, o.Wrote.Made())
		}
	}
	m.becomes(ownersOfA, a, "later")
	m.wantsReading(m.nodes, a, shown{"later", later, later, false})

	others[1].mustWrite(a, "alone", WriteOptions{Quorum: 3}) // later than what all owners have seen
	read, err := ownersOfA[1].Read(t.Context(), a)
	if by, _ := read.Transaction(); err != nil || !read.Latest().After(later) || !by.IsZero() {
		t.Errorf("written alone: latest %v, by %v, %v", read.Latest(), by, err)
	}
}

func TestAWriteIsMadeAgainThroughWhicheverNodeUntilItIsSealed(t *testing.T) {
	for _, value := range []string{"v", "nothing"} {
		t.Run(value, func(t *testing.T) {
			m := newTestMesh(t, 5)
			k := key("k")
			owners, others := m.owners(k)
			owners[0].mustWrite(k, "old", WriteOptions{Quorum: 3})
			at := drawn(time.Now())
			for range 2 {
				o := within(at)
				others[0].mustWrite(k, value, o)
				if wrote := o.Wrote.Made(); wrote.Of(at.Node) != at.Time || wrote.Of(string(owners[0].id)) <= at.Time {
					t.Errorf("the write is %v", wrote)
				}
			}
			m.wantsReading(m.nodes, k, shown{value, at, at, false})
			for i, n := range []*testNode{others[1], owners[2]} {
				upTo := lattice.Stamp{Time: at.Time + uint64(i) + 1, Node: "elsewhere"}
				n.mustWrite(k, value, sealing(at, upTo))
				n.mustWrite(k, value, within(at)) // by who has not heard of the seal
				m.wantsReading(m.nodes, k, shown{value, at, at, true})
				for _, owner := range owners {
					cell, _, err := owner.store.Get(k)
					if _, sealed := cell.Transaction(); err != nil || !sealed || cell.Needs().Of(upTo.Node) != upTo.Time {
						t.Errorf("%s holds it sealed %v, with needs %v, %v", owner.id, sealed, cell.Needs(), err)
					}
				}
			}
		})
	}
}

// A write is no retry of the one before that has the same id: that had no seal.
func TestASealIsNotTakenForARetry(t *testing.T) {
	m := newTestMesh(t, 5)
	for name, value := range map[string]string{"set": "v", "deleted": "nothing"} {
		k := key(name)
		owners, others := m.owners(k)
		at := drawn(time.Now())
		for _, n := range []*testNode{owners[1], others[0]} {
			first, again := within(at), sealing(at, lattice.Stamp{Time: at.Time, Node: string(n.id)})
			first.ID, again.ID = "id", "id"
			n.mustWrite(k, value, first)
			n.mustWrite(k, value, again)
			m.wantsReading(m.nodes, k, shown{value, at, at, true})
			read, err := n.ReadConfirmed(t.Context(), k)
			if err != nil || read.Needs.Of(string(n.id)) != at.Time {
				t.Errorf("%s, sealed through %s: it needs %v, %v", name, n.id, read.Needs, err)
			}
		}
	}
}

func TestAWriteIsSealedWhileAnOwnerIsAway(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	owners, _ := m.owners(k)
	at := drawn(time.Now())
	owners[0].mustWrite(k, "v", within(at))
	owners[2].cut(true)
	o := sealing(at, at)
	o.Quorum = 2
	owners[1].mustWrite(k, "v", o)
	owners[2].cut(false)
	m.eventually("the owner that was away has the seal", func() bool {
		cell, _, err := owners[2].store.Get(k)
		_, sealed := cell.Transaction()
		return err == nil && sealed && cell.Needs().Of(at.Node) == at.Time
	})
}

func TestASealComesTooLate(t *testing.T) {
	m := newTestMesh(t, 5)
	for name, first := range map[string]string{"set": "v", "deleted": "nothing"} {
		for _, won := range []string{"won", "nothing"} {
			k := key(name + won)
			owners, others := m.owners(k)
			at, later := drawn(time.Now()), drawn(time.Now().Add(time.Second))
			owners[0].mustWrite(k, first, within(at))
			owners[1].mustWrite(k, won, within(later))
			for _, n := range []*testNode{owners[2], others[0]} {
				n.mustWrite(k, first, sealing(at, at))
			}
			m.wantsReading(m.nodes, k, shown{won, later, later, false})

			owners[2].mustWrite(k, won, WriteOptions{Quorum: 3}) // alone
			others[1].mustWrite(k, first, sealing(at, at))
			others[1].mustWrite(k, won, sealing(later, at))
			read, err := owners[0].ReadConfirmed(t.Context(), k)
			if by, _ := read.Transaction(); err != nil || !by.IsZero() || read.Found != (won == "won") || !read.Latest().After(later) {
				t.Errorf("%v: found %v, latest %v, by %v, %v", k, read.Found, read.Latest(), by, err)
			}
		}
	}
}

func TestNodesMakeTheSameWriteAtOnce(t *testing.T) {
	m := newTestMesh(t, 5)
	when := time.Now()
	for name, value := range map[string]string{"set": "v", "deleted": "nothing"} {
		k := key(name)
		owners, others := m.owners(k)
		owners[0].mustWrite(k, "old", WriteOptions{Quorum: 3})
		when = when.Add(time.Second) // the nodes have seen the stamp of the one before
		at := drawn(when)
		var all sync.WaitGroup
		var made [5]WriteOptions
		for i, n := range append(owners, others...) {
			made[i] = within(at)
			if i%2 > 0 {
				made[i] = sealing(at, lattice.Stamp{Time: at.Time, Node: string(n.id)})
			}
			made[i].AfterMost = i > 2
			all.Go(func() {
				if ack, err := n.writeOf(k, value, made[i]); err != nil || ack.Replicas < 3 {
					t.Errorf("%s: %+v, %v", n.id, ack, err)
				}
			})
		}
		all.Wait()
		m.wantsReading(m.nodes, k, shown{value, at, at, true})
		for _, owner := range owners {
			cell, _, err := owner.store.Get(k)
			for i, n := range append(owners, others...) {
				if i%2 > 0 && cell.Needs().Of(string(n.id)) != at.Time || !cell.Made().Covers(made[i].Wrote.Made()) || err != nil {
					t.Errorf("%s needs %v, is made of %v, %v: without what %s wrote, %v", owner.id, cell.Needs(), cell.Made(), err, n.id, made[i].Wrote.Made())
				}
			}
		}
	}
}

// Which of several transactions is the latest does not depend on who comes first.
func TestTransactionsWriteAKeyAtOnce(t *testing.T) {
	m := newTestMesh(t, 5)
	k := key("k")
	owners, _ := m.owners(k)
	var all sync.WaitGroup
	at := drawn(time.Now())
	for i, n := range m.nodes {
		own := lattice.Stamp{Time: at.Time + uint64(i), Node: "home"}
		all.Go(func() {
			for range 2 {
				if _, err := n.set(k, string(n.id), within(own)); err != nil {
					t.Error(err)
				}
			}
			if _, err := n.set(k, string(n.id), sealing(own, own)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	last := m.nodes[4]
	want := lattice.Stamp{Time: at.Time + 4, Node: "home"}
	m.becomes(owners, k, string(last.id))
	m.wantsReading(m.nodes, k, shown{string(last.id), want, want, true})
}

func TestWritesThatNoTransactionMakes(t *testing.T) {
	m := newTestMesh(t, 4)
	k := key("k")
	owners, others := m.owners(k)
	at := drawn(time.Now())
	set, causes := lattice.SetOp(nil), &lattice.Past{}
	stamps := map[string]WriteOptions{
		"no causes":      {At: at},
		"no time":        within(lattice.Stamp{Node: "n"}),
		"no node":        within(lattice.Stamp{Time: at.Time}),
		"a long name":    within(lattice.Stamp{Time: at.Time, Node: strings.Repeat("n", maxStampNode+1)}),
		"a birth":        within(lattice.Stamp{Time: at.Time, Node: "+"}),
		"too far ahead":  within(drawn(time.Now().Add(time.Hour))),
		"no stamp":       {Causes: causes, Sealed: true},
		"untold causes":  {At: at, Causes: causes, Untold: true},
		"write-behind":   {At: at, Causes: causes, Behind: true},
		"a time to live": {At: at, Causes: causes, TTL: time.Second},
	}
	for name, o := range stamps {
		for _, n := range []*testNode{owners[0], others[0]} {
			if _, err := n.set(k, "v", o); !errors.Is(err, mesh.Invalid) {
				t.Errorf("%s, at %s: %v", name, n.id, err)
			}
			if o.TTL > 0 { // which a delete does not have
				continue
			}
			if _, err := n.writeOf(k, "nothing", o); !errors.Is(err, mesh.Invalid) {
				t.Errorf("delete, %s, at %s: %v", name, n.id, err)
			}
		}
	}
	for name, c := range map[string]struct {
		kind lattice.Kind
		op   lattice.Op
	}{
		"another kind":     {lattice.SetKind, lattice.AddOp("x")},
		"another register": {lattice.MVRegisterKind, set},
		"no set":           {lattice.LWWKind, lattice.AddOp("x")},
	} {
		for _, n := range []*testNode{owners[0], others[0]} {
			if _, err := n.put(k, c.kind, c.op, within(at)); !errors.Is(err, mesh.Invalid) {
				t.Errorf("%s, at %s: %v", name, n.id, err)
			}
		}
	}
	if _, err := owners[0].Touch(t.Context(), k, within(at)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("touch: %v", err)
	}
	if _, err := owners[0].CompareAndSet(t.Context(), k, Swap{Kind: lattice.LWWKind, Op: set}, within(at)); !errors.Is(err, mesh.Invalid) {
		t.Errorf("compare and set: %v", err)
	}
	m.becomes(owners, k, "nothing")
}

// What comes with Forwarded comes from a node: of a client it is denied before.
func TestAClientMakesNoWriteOfATransaction(t *testing.T) {
	m := newTestMesh(t, 3)
	k, at := key("k"), drawn(time.Now())
	op := lattice.SetOp(nil).AppendBinary(nil)
	for name, c := range map[string]struct {
		put  *pb.Put
		want error
	}{
		"of a client":    {&pb.Put{AtTime: at.Time, AtNode: []byte("n")}, mesh.Denied},
		"only a node":    {&pb.Put{AtNode: []byte("n")}, mesh.Denied},
		"only a time":    {&pb.Put{AtTime: at.Time, Forwarded: true}, mesh.Invalid},
		"a long name":    {&pb.Put{AtTime: at.Time, AtNode: make([]byte, maxStampNode+1), Forwarded: true}, mesh.Invalid},
		"only the seal":  {&pb.Put{Sealed: true}, mesh.Invalid},
		"a seal of none": {&pb.Put{Sealed: true, Forwarded: true}, mesh.Invalid},
	} {
		p := c.put
		p.Key, p.Kind, p.Op, p.Causes = wire.FromKey(k), uint32(lattice.LWWKind), op, []byte{0}
		if _, err := m.nodes[0].HandlePut(t.Context(), p); !errors.Is(err, c.want) {
			t.Errorf("a put %s: %v", name, err)
		}
		d := &pb.Delete{Key: p.Key, Causes: p.Causes, AtTime: p.AtTime, AtNode: p.AtNode, Sealed: p.Sealed, Forwarded: p.Forwarded}
		if _, err := m.nodes[0].HandleDelete(t.Context(), d); !errors.Is(err, c.want) {
			t.Errorf("a delete %s: %v", name, err)
		}
	}
	if answer := m.nodes[0].begin(&pb.Put{
		Key: wire.FromKey(k), Kind: uint32(lattice.LWWKind), Op: op, AtTime: at.Time, AtNode: []byte("n"), Forwarded: true,
	}); answer != nil {
		t.Error("it was begun as a plain put")
	}
	m.becomes(m.nodes, k, "nothing")
}
