package replica

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func setTo(value string) lattice.Op { return lattice.SetOp([]byte(value)) }

// written makes a mesh of three whose owners hold a register k, and a counter n at 1.
func written(t *testing.T, m *testMesh) *testNode {
	t.Helper()
	at := m.nodes[0]
	for _, kind := range []lattice.Kind{lattice.LWWKind, lattice.GCounterKind} {
		k, op := key("k"), setTo("first")
		if kind == lattice.GCounterKind {
			k, op = key("n"), lattice.IncOp(1)
		}
		ack, err := at.Put(t.Context(), k, kind, op, WriteOptions{Quorum: 3})
		mustAck(t, ack, err, 3)
	}
	return at
}

func mustBegin(t *testing.T, n *testNode, m *pb.Put) <-chan putAnswer {
	t.Helper()
	told := n.begin(m)
	if told == nil {
		t.Fatalf("%v is not begun", m)
	}
	return told
}

func TestABegunPutIsAnsweredWhenItsQuorumHoldsIt(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		answer := <-mustBegin(t, at, putMessage(key("k"), lattice.LWWKind, setTo("second"), WriteOptions{Quorum: 3}))
		mustAck(t, mesh.Ack{Replicas: int(answer.reply.GetReplicas()), Durability: mesh.Durability(answer.reply.GetDurability())}, answer.err, 3)
		for _, n := range m.nodes {
			n.kill() // what is acknowledged is logged
			n.start()
			if got := n.holds(key("k")); got != "second" {
				t.Errorf("%s holds %q", n.id, got)
			}
		}
	})
}

func TestWhatIsBegunStaysUntilItDeparts(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		synctest.Wait() // until what told of these writes is over, too
		first, second := newPutAsker(), newPutAsker()
		for i, asker := range []*putAsker{first, second} {
			op := setTo(fmt.Sprint("value ", i))
			if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, op, WriteOptions{Quorum: 3}), asker) {
				t.Fatal("not begun")
			}
		}
		synctest.Wait()
		if at.sending.Load() > 0 || len(first.told)+len(second.told) > 0 {
			t.Fatalf("%d deltas are sent before they depart", at.sending.Load())
		}
		at.Depart()
		for _, asker := range []*putAsker{first, second} {
			if answer := <-asker.told; answer.err != nil {
				t.Error(answer.err)
			}
		}
		m.becomes(m.nodes, key("k"), "value 1")
		at.Depart() // has nothing to do
	})
}

func TestWhatHasToWaitForMoreIsNotBegun(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		ack, err := at.add(key("set"), "x", WriteOptions{})
		mustAck(t, ack, err, 2)
		register := func(name string, o WriteOptions) *pb.Put {
			return putMessage(key(name), lattice.LWWKind, setTo("y"), o)
		}
		told := register("k", WriteOptions{})
		told.TellBytes = 1
		for name, put := range map[string]*pb.Put{
			"a set":                            putMessage(key("set"), lattice.SetKind, lattice.AddOp("y"), WriteOptions{}),
			"to be synced":                     register("k", WriteOptions{Durability: mesh.Synced}),
			"behind":                           register("k", WriteOptions{Behind: true}),
			"after something":                  register("k", WriteOptions{AfterMost: true}),
			"what was made is to be told":      told,
			"a long value":                     putMessage(key("k"), lattice.LWWKind, setTo(strings.Repeat("y", maxBegun)), WriteOptions{}),
			"an operation that makes no sense": {Key: register("k", WriteOptions{}).Key, Kind: uint32(lattice.LWWKind), Op: []byte{255}},
			"a quorum of more than all":        register("k", WriteOptions{Quorum: 4}),
			"an id that is too long":           register("k", WriteOptions{ID: strings.Repeat("i", MaxWriteID+1)}),
			"a time to live that is too long":  register("k", WriteOptions{TTL: 2 * MaxTTL}),
			"a durability that there is not":   {Key: register("k", WriteOptions{}).Key, Kind: uint32(lattice.LWWKind), Op: register("k", WriteOptions{}).Op, Durability: 9},
			"a key that no key can be":         {Kind: uint32(lattice.LWWKind), Op: register("k", WriteOptions{}).Op},
			"a kind that is none":              {Key: register("k", WriteOptions{}).Key, Kind: 999, Op: register("k", WriteOptions{}).Op},
		} {
			if at.begin(put) != nil {
				t.Errorf("%s: begun", name)
			}
		}
		if k, n := at.holds(key("k")), at.holds(key("n")); k != "first" || n != "1" {
			t.Errorf("what was not begun has changed something: k is %q, n is %q", k, n)
		}
		if len(at.memory.open) > 0 {
			t.Errorf("%d writes are open", len(at.memory.open))
		}
	})
}

func TestWhatTurnsOutToHaveToWaitForMoreIsMadeAllTheSame(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		ack, err := at.Put(t.Context(), key("expired"), lattice.LWWKind, setTo("x"), WriteOptions{TTL: time.Millisecond})
		mustAck(t, ack, err, 2)
		time.Sleep(10 * time.Millisecond)
		ack, err = at.Delete(t.Context(), key("deleted"), WriteOptions{})
		mustAck(t, ack, err, 2)
		register := func(name string) *pb.Put { return putMessage(key(name), lattice.LWWKind, setTo("y"), WriteOptions{}) }
		for name, c := range map[string]struct {
			put  *pb.Put
			want error
		}{
			"a key that is not known":      {put: register("unknown")},
			"one that has expired":         {put: register("expired")},
			"one that was deleted":         {put: register("deleted")},
			"another kind":                 {put: register("n"), want: mesh.KindMismatch},
			"an increment that is a retry": {put: putMessage(key("n"), lattice.GCounterKind, lattice.IncOp(1), WriteOptions{ID: "retry", RetryAge: time.Second, Insist: true})},
		} {
			if answer := <-mustBegin(t, at, c.put); !errors.Is(answer.err, c.want) {
				t.Errorf("%s: %v, want %v", name, answer.err, c.want)
			}
		}
		for k, want := range map[string]string{"unknown": "y", "expired": "y", "deleted": "y", "n": "2"} {
			m.becomes(m.nodes, key(k), want)
		}
		if len(at.memory.open) > 0 {
			t.Errorf("%d writes are open", len(at.memory.open))
		}
	})
}

func TestABegunIncrementAndItsRetriesCountOnce(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		o := WriteOptions{ID: "one", Quorum: 3}
		first := mustBegin(t, at, putMessage(key("n"), lattice.GCounterKind, lattice.IncOp(1), o))
		o.RetryAge = time.Millisecond
		ack, err := at.Put(t.Context(), key("n"), lattice.GCounterKind, lattice.IncOp(1), o) // waits for its turn
		mustAck(t, ack, err, 3)
		if answer := <-first; answer.err != nil {
			t.Error(answer.err)
		}
		ack, err = m.nodes[1].Put(t.Context(), key("n"), lattice.GCounterKind, lattice.IncOp(1), o)
		mustAck(t, ack, err, 3)
		m.becomes(m.nodes, key("n"), "2")
	})
}

func TestABegunPutWhoseOwnerIsAwayIsOwedToIt(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		m.nodes[2].cut(true)
		if answer := <-mustBegin(t, at, putMessage(key("k"), lattice.LWWKind, setTo("two"), WriteOptions{Quorum: 2})); answer.err != nil {
			t.Errorf("with two of three owners: %v", answer.err)
		}
		answer := <-mustBegin(t, at, putMessage(key("k"), lattice.LWWKind, setTo("three"), WriteOptions{Quorum: 3}))
		if !errors.Is(answer.err, mesh.Unavailable) {
			t.Errorf("with an owner less than the quorum: %v, want Unavailable", answer.err)
		}
		m.nodes[2].cut(false)
		m.nodes[2].notice(true)
		m.becomes(m.nodes, key("k"), "three")
	})
}

// A begun put of which an owner says that the key was deleted later is made anew.
func TestABegunPutIsMadeAnewAfterADelete(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		at.cut(true)
		ack, err := m.nodes[1].Delete(t.Context(), key("k"), WriteOptions{})
		mustAck(t, ack, err, 2)
		asker := newPutAsker()
		if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, setTo("again"), WriteOptions{Quorum: 3}), asker) {
			t.Fatal("not begun")
		}
		at.cut(false) // and has not heard of the delete
		at.Depart()
		if answer := <-asker.told; answer.err != nil {
			t.Error(answer.err)
		}
		m.becomes(m.nodes, key("k"), "again")
	})
}

func TestABegunPutIsAnsweredWhereTheNodeStops(t *testing.T) {
	m := newTestMesh(t, 3)
	at := written(t, m)
	asker := newPutAsker()
	if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, setTo("last"), WriteOptions{Quorum: 2}), asker) {
		t.Fatal("not begun")
	}
	at.halt()
	at.Depart()
	if answer := <-asker.told; !errors.Is(answer.err, mesh.Unavailable) {
		t.Errorf("told %v, want Unavailable", answer.err)
	}
}

// A put that was held up on its way, and was made through another node since,
// would win over what was put after that.
func TestABegunPutThatNobodyWaitsForIsNotMade(t *testing.T) {
	m := newTestMesh(t, 3)
	at := written(t, m)
	asker := newPutAsker()
	if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, setTo("late"), WriteOptions{Quorum: 2}), asker) {
		t.Fatal("not begun")
	}
	asker.end()
	at.Depart()
	if answer := <-asker.told; !errors.Is(answer.err, mesh.Cancelled) {
		t.Errorf("told %v, want Cancelled", answer.err)
	}
	if got := at.holds(key("k")); got != "first" {
		t.Errorf("the key holds %q", got)
	}
}

// Nor is it made anew after a delete.
func TestABegunPutThatNobodyWaitsForIsNotMadeAnew(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		at := written(t, m)
		at.cut(true)
		ack, err := m.nodes[1].Delete(t.Context(), key("k"), WriteOptions{})
		mustAck(t, ack, err, 2)
		ack, err = m.nodes[1].set(key("k"), "since", WriteOptions{})
		mustAck(t, ack, err, 2)
		at.cut(false)
		m.mu.Lock()
		m.delay = 50 * time.Millisecond
		m.mu.Unlock()
		asker := newPutAsker()
		if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, setTo("late"), WriteOptions{Quorum: 3}), asker) {
			t.Fatal("not begun")
		}
		at.Depart()
		asker.end()
		if answer := <-asker.told; !errors.Is(answer.err, mesh.Unavailable) {
			t.Errorf("told %v, want Unavailable", answer.err)
		}
		m.eventually("nothing is on its way", func() bool { return at.sending.Load() == 0 })
		m.becomes(m.nodes, key("k"), "since")
	})
}

// Who asked for a put may go to another node with it when it is not begun in
// time. Neither on the reader's goroutine nor on another it is begun after that.
func TestAPutIsNotBegunLate(t *testing.T) {
	m := newTestMesh(t, 3)
	at := written(t, m)
	asker := newPutAsker()
	asker.by = time.Now().Add(-time.Millisecond)
	if !at.BeginPut(putMessage(key("k"), lattice.LWWKind, setTo("late"), WriteOptions{Quorum: 2}), asker) {
		t.Fatal("not begun")
	}
	at.Depart()
	if answer := <-asker.told; !errors.Is(answer.err, mesh.ErrLate) {
		t.Errorf("told %v, want ErrLate", answer.err)
	}
	ctx := mesh.WithBeginBy(t.Context(), time.Now().Add(-time.Millisecond))
	for what, write := range map[string]func() error{
		"put": func() error {
			_, err := at.Put(ctx, key("k"), lattice.LWWKind, setTo("late"), WriteOptions{})
			return err
		},
		"put behind": func() error {
			_, err := at.Put(ctx, key("k"), lattice.LWWKind, setTo("late"), WriteOptions{Behind: true})
			return err
		},
		"add": func() error {
			_, err := at.Put(ctx, key("n"), lattice.GCounterKind, lattice.IncOp(1), WriteOptions{ID: "an id"})
			return err
		},
		"touch":  func() error { _, err := at.Touch(ctx, key("k"), WriteOptions{TTL: time.Hour}); return err },
		"delete": func() error { _, err := at.Delete(ctx, key("k"), WriteOptions{}); return err },
	} {
		if err := write(); !errors.Is(err, mesh.ErrLate) {
			t.Errorf("%s: %v, want ErrLate", what, err)
		}
	}
	m.becomes(m.nodes, key("k"), "first")
	ack, err := at.Put(t.Context(), key("n"), lattice.GCounterKind, lattice.IncOp(1), WriteOptions{ID: "an id", RetryAge: time.Millisecond})
	mustAck(t, ack, err, 2)
}
