package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// read gives what a register holds and its version, as a client gets them.
func (n *testNode) read(k mesh.Key, quorum uint32) (value, version string, err error) {
	reply, err := n.now().HandleGet(context.Background(), &pb.Get{Key: wire.FromKey(k), Quorum: quorum, Details: true})
	if errors.Is(err, mesh.NotFound) {
		return "", absent, nil
	}
	if err != nil {
		return "", "", err
	}
	v, err := lattice.Decode(reply.Value)
	return describeValue(v), reply.Version, err
}

func (n *testNode) swap(k mesh.Key, version, value string, o WriteOptions) (Swapped, error) {
	s := Swap{Version: version, Kind: lattice.LWWKind, Op: lattice.SetOp([]byte(value))}
	return n.now().CompareAndSet(context.Background(), k, s, o)
}

func TestCompareAndSetWritesOnlyWhatWasRead(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, m *testMesh) {
		k := key("k")
		first, err := m.nodes[0].swap(k, absent, "a", WriteOptions{})
		if err != nil || first.Conflict || first.Replicas < 2 {
			t.Fatalf("creating gave %+v, %v", first, err)
		}
		for _, n := range m.nodes {
			if value, version, err := n.read(k, 2); value != "a" || version != first.Version || err != nil {
				t.Errorf("%s reads %q at %q, %v: want the version that the write gave, %q", n.id, value, version, err, first.Version)
			}
		}
		again, err := m.nodes[1].swap(k, absent, "b", WriteOptions{})
		if err != nil || !again.Conflict || again.Version != first.Version {
			t.Errorf("creating again gave %+v, %v", again, err)
		}
		ack, err := m.nodes[2].Touch(t.Context(), k, WriteOptions{TTL: 20 * time.Second})
		mustAck(t, ack, err, 2)
		second, err := m.nodes[3].swap(k, first.Version, "b", WriteOptions{Quorum: 3, TTL: 2 * time.Second})
		if err != nil || second.Conflict || second.Replicas != 3 || second.Version == first.Version {
			t.Errorf("after a touch: %+v, %v", second, err)
		}
		if stale, err := m.nodes[4].swap(k, first.Version, "c", WriteOptions{}); err != nil || !stale.Conflict || stale.Version != second.Version {
			t.Errorf("with an old version: %+v, %v", stale, err)
		}
		time.Sleep(2 * time.Second)
		if late, err := m.nodes[0].swap(k, second.Version, "c", WriteOptions{}); err != nil || !late.Conflict || late.Version != absent {
			t.Errorf("of an expired key: %+v, %v", late, err)
		}
		if anew, err := m.nodes[0].swap(k, absent, "d", WriteOptions{}); err != nil || anew.Conflict {
			t.Errorf("creating an expired key: %+v, %v", anew, err)
		}
		if _, err := m.nodes[1].Delete(t.Context(), k, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if anew, err := m.nodes[2].swap(k, absent, "e", WriteOptions{}); err != nil || anew.Conflict {
			t.Errorf("creating a deleted key: %+v, %v", anew, err)
		}
		m.expectsAt(m.nodes, k, "e")
	})
}

func TestCompareAndSetRefuses(t *testing.T) {
	m := newTestMesh(t, 3)
	k := key("k")
	if _, err := m.nodes[0].add(k, "x", WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	register := lattice.SetOp([]byte("v"))
	for what, c := range map[string]struct {
		swap Swap
		o    WriteOptions
		want mesh.ErrorKind
	}{
		"a set":         {Swap{Kind: lattice.SetKind, Op: lattice.AddOp("x")}, WriteOptions{}, mesh.Invalid},
		"an addition":   {Swap{Kind: lattice.LWWKind, Op: lattice.AddOp("x")}, WriteOptions{}, mesh.Invalid},
		"another kind":  {Swap{Kind: lattice.LWWKind, Op: register, Version: versionIn(t, m, k)}, WriteOptions{}, mesh.KindMismatch},
		"a quorum of 4": {Swap{Kind: lattice.LWWKind, Op: register}, WriteOptions{Quorum: 4}, mesh.Invalid},
		"a long life":   {Swap{Kind: lattice.LWWKind, Op: register}, WriteOptions{TTL: MaxTTL + 1}, mesh.Invalid},
	} {
		for _, n := range m.nodes {
			if _, err := n.CompareAndSet(t.Context(), k, c.swap, c.o); mesh.KindOf(err) != c.want {
				t.Errorf("%s at %s gave %v: want %s", what, n.id, err, c.want)
			}
		}
	}
	owners, _ := m.owners(k)
	if _, err := owners[1].swap(k, absent, "v", WriteOptions{Forwarded: true}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("forwarded to a node that is not the closest: %v", err)
	}
	owners[1].cut(true)
	owners[2].cut(true)
	if _, err := owners[0].swap(key("k"), absent, "v", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("without a majority: %v", err)
	}
}

func versionIn(t *testing.T, m *testMesh, k mesh.Key) string {
	t.Helper()
	cell, _, err := m.nodes[0].store.Get(k)
	if err != nil {
		t.Fatal(err)
	}
	return versionOf(cell)
}

// count increments a register by CompareAndSet, over and over, and tells how
// many it is sure of, and how many may have happened.
func (n *testNode) count(k mesh.Key, times int) (sure, unknown int64) {
	for range times {
		value, version, err := n.read(k, 2)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		have, _ := strconv.Atoi(value) // 0 before the first
		swapped, err := n.swap(k, version, strconv.Itoa(have+1), WriteOptions{})
		switch {
		case err != nil:
			unknown++
		case !swapped.Conflict:
			sure++
		}
	}
	return sure, unknown
}

// While the nodes agree on who owns the key, no acknowledged increment is
// lost and none that conflicted took effect, though messages are lost and an
// owner is away for a while.
func TestConcurrentCompareAndSetLosesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh(t, 5)
		m.rng = rand.New(rand.NewPCG(seed, 0))
		m.drops, m.delay = 0.03, 5*time.Millisecond
		k := key("k")
		var sure, unknown atomic.Int64
		var counting sync.WaitGroup
		for _, n := range m.nodes {
			for range 2 {
				counting.Go(func() {
					s, u := n.count(k, 25)
					sure.Add(s)
					unknown.Add(u)
				})
			}
		}
		owners, _ := m.owners(k)
		time.Sleep(100 * time.Millisecond)
		owners[2].cut(true) // one of the owners is away for a while
		time.Sleep(time.Second)
		owners[2].cut(false)
		counting.Wait()
		m.lose(0)
		value, _, err := m.nodes[0].read(k, 3)
		got, _ := strconv.ParseInt(value, 10, 64)
		if err != nil || got < sure.Load() || got > sure.Load()+unknown.Load() {
			t.Errorf("counted to %q, %v: want %d, and up to %d that are not known", value, err, sure.Load(), unknown.Load())
		}
		if sure.Load() < 20 {
			t.Errorf("only %d increments of 250 were acknowledged", sure.Load())
		}
	})
}

// When the closest owner dies the next takes over, and sees all that was acknowledged.
func TestCompareAndSetMovesToTheNextOwner(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, m *testMesh) {
		k := key("k")
		owners, _ := m.owners(k)
		sure, _ := owners[1].count(k, 10)
		owners[0].halt()
		if _, err := owners[1].swap(k, absent, "x", WriteOptions{}); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("while the closest owner is thought to live: %v", err)
		}
		owners[0].notice(false)
		more, unknown := owners[2].count(k, 10)
		if value, _, err := owners[1].read(k, 2); err != nil || value != "20" || sure+more != 20 || unknown != 0 {
			t.Errorf("counted to %s, %v, of %d", value, err, sure+more)
		}
	})
}

// Of two sides that each see a closest owner of their own only one that has
// most of the owners writes.
func TestCompareAndSetOnTwoSides(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, m *testMesh) {
		k := key("k")
		start, err := m.nodes[0].swap(k, absent, "start", WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.nodes {
			n.cut(true)
			n.notice(false)
		}
		for i, n := range m.nodes {
			for quorum := range 3 {
				if _, err := n.swap(k, start.Version, "x", WriteOptions{Quorum: quorum}); !errors.Is(err, mesh.Unavailable) {
					t.Errorf("with W = %d on side %d: %v", quorum, i, err)
				}
			}
		}
		for _, n := range m.nodes {
			n.cut(false)
		}
		for _, n := range m.nodes {
			n.notice(true)
		}
		m.eventually("the sides have met", m.settled)
		if swapped, err := m.nodes[0].swap(k, start.Version, "end", WriteOptions{}); err != nil || swapped.Conflict {
			t.Errorf("when they have met: %+v, %v", swapped, err)
		}
		m.becomes(m.nodes, k, "end")
	})
}

func TestTurnsAreTakenOneAtATimeAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var working atomic.Int32
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				leave, err := turns.enter(t.Context(), key("k"))
				if err != nil || working.Add(1) != 1 {
					t.Errorf("two at a time, or %v", err)
				}
				time.Sleep(time.Second)
				working.Add(-1)
				leave()
			})
		}
		time.Sleep(time.Second / 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := turns.enter(ctx, key("k")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting too long gave %v", err)
		}
		callers.Wait()
		if len(turns.byKey) != 0 {
			t.Errorf("%d keys are remembered", len(turns.byKey))
		}
	})
}
