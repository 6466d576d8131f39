package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func key(name string) mesh.Key { return mesh.Key{Namespace: "default", Name: name} }

func setOf(elements ...string) lattice.Cell {
	delta, err := lattice.Cell{}.Apply(lattice.SetKind, lattice.AddOp(elements...), lattice.Write{})
	if err != nil {
		panic(err)
	}
	return delta
}

func describe(cell lattice.Cell) string {
	v, ok := cell.Value()
	if !ok {
		return "deleted"
	}
	return strings.Join(slices.Sorted(v.Elements()), " ")
}

// testMesh is owners and caches, and the calls between them.
type testMesh struct {
	mu     sync.Mutex
	owners map[mesh.NodeID]*testOwner
	caches map[mesh.NodeID]*Cache
	calls  []string
	// fault, if set, may fail a call before it is handled, or its reply after.
	fault func(to mesh.NodeID, req wire.Message, handled bool) error
}

// testOwner holds keys and publishes their changes, as a node does.
type testOwner struct {
	*Publisher
	mu    sync.Mutex
	cells map[mesh.Key]lattice.Cell
}

func newTestMesh() *testMesh {
	return &testMesh{owners: map[mesh.NodeID]*testOwner{}, caches: map[mesh.NodeID]*Cache{}}
}

func (m *testMesh) addOwner(t testing.TB, id mesh.NodeID, o PublisherOptions) *testOwner {
	return m.addOwnerOf(t, id, o, map[mesh.Key]lattice.Cell{})
}

// addOwnerOf adds an owner that holds cells already.
func (m *testMesh) addOwnerOf(t testing.TB, id mesh.NodeID, o PublisherOptions, cells map[mesh.Key]lattice.Cell) *testOwner {
	o.Peers, o.Log = peersOf{m, id}, slog.New(slog.DiscardHandler)
	owner := &testOwner{Publisher: NewPublisher(o), cells: cells}
	t.Cleanup(owner.Close)
	m.mu.Lock()
	m.owners[id] = owner
	m.mu.Unlock()
	return owner
}

func (m *testMesh) addCache(t testing.TB, id mesh.NodeID, o Options) *Cache {
	o.Peers, o.Log = peersOf{m, id}, slog.New(slog.DiscardHandler)
	c := New(o)
	t.Cleanup(c.Close)
	m.caches[id] = c
	return c
}

func (o *testOwner) merge(k mesh.Key, delta lattice.Cell) {
	o.mu.Lock()
	cell := o.cells[k]
	if _, err := cell.Merge(delta); err != nil {
		panic(err)
	}
	o.cells[k] = cell
	o.mu.Unlock()
	o.Changed(k, delta)
}

// held gives what the owner holds: a request that reached it before it was
// killed is still served from its own map.
func (o *testOwner) held() map[mesh.Key]lattice.Cell {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := map[mesh.Key]lattice.Cell{}
	for k, cell := range o.cells {
		held[k] = cell.Clone()
	}
	return held
}

func (o *testOwner) fetch(from mesh.NodeID, k mesh.Key) *pb.FetchReply {
	session, lease := o.Subscribe(from, k)
	reply := &pb.FetchReply{Session: session, LeaseMs: uint32(lease / time.Millisecond)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if cell, ok := o.cells[k]; ok {
		reply.Cell = cell.AppendBinary(nil)
	}
	return reply
}

// peersOf are the peers as one node sees them.
type peersOf struct {
	mesh *testMesh
	self mesh.NodeID
}

func (p peersOf) Call(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, error) {
	m := p.mesh
	m.mu.Lock()
	m.calls = append(m.calls, fmt.Sprintf("%s->%s %T", string(p.self), string(to), req))
	owner, c, fault := m.owners[to], m.caches[to], m.fault
	m.mu.Unlock()
	fails := func(handled bool) error {
		if fault == nil {
			return nil
		}
		return fault(to, req, handled)
	}
	if err := fails(false); err != nil {
		return nil, err
	}
	reply, err := serve(owner, c, p.self, req)
	if lost := fails(true); lost != nil {
		return nil, lost
	}
	return reply, err
}

func (p peersOf) CallUnlessSilent(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, bool, error) {
	reply, err := p.Call(ctx, to, req)
	return reply, false, err
}

func serve(owner *testOwner, c *Cache, from mesh.NodeID, req wire.Message) (wire.Message, error) {
	switch r := req.(type) {
	case *pb.Fetch:
		if owner != nil {
			return owner.fetch(from, mesh.Key{Namespace: r.Key.Namespace, Name: r.Key.Name}), nil
		}
	case *pb.Push:
		if c != nil {
			return c.HandlePush(from, r)
		}
	}
	return nil, mesh.Errorf(mesh.Unavailable, "call", "nobody there")
}

func (m *testMesh) countCalls(part string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, call := range m.calls {
		if strings.Contains(call, part) {
			n++
		}
	}
	return n
}

func mustFetch(t *testing.T, c *Cache, k mesh.Key, want string, owners ...mesh.NodeID) {
	t.Helper()
	cell, found, err := c.Fetch(t.Context(), k, owners)
	if err != nil || !found || describe(cell) != want {
		t.Fatalf("Fetch = %s, %v, %v; want %s", describe(cell), found, err, want)
	}
}

// held is what Get gives, for people.
func held(c *Cache, k mesh.Key) string {
	cell, ok := c.Get(k)
	if !ok {
		return "nothing"
	}
	return describe(cell)
}

func TestAHitMakesNoCall(t *testing.T) {
	m := newTestMesh()
	a := m.addOwner(t, "a", PublisherOptions{})
	c := m.addCache(t, "c", Options{})
	a.merge(key("k"), setOf("1"))
	if got := held(c, key("k")); got != "nothing" || c.Holds(key("k")) {
		t.Errorf("before the first fetch: %s", got)
	}
	mustFetch(t, c, key("k"), "1", "a")
	k := key("k")
	if n := testing.AllocsPerRun(100, func() { c.Get(k) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
	if n := m.countCalls("Fetch"); n != 1 || held(c, k) != "1" || !c.Holds(k) {
		t.Errorf("%d fetches, held %s", n, held(c, k))
	}
}

func TestOneFlightForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
		c := m.addCache(t, "c", Options{})
		m.fault = func(mesh.NodeID, wire.Message, bool) error { time.Sleep(10 * time.Millisecond); return nil }
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, found, err := c.Fetch(t.Context(), key("k"), []mesh.NodeID{"a"}); !found || err != nil {
					t.Error(found, err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := c.Fetch(impatient, key("k"), []mesh.NodeID{"a"}); !errors.Is(err, mesh.DeadlineExceeded) {
			t.Errorf("one who does not wait: %v, want DeadlineExceeded", err)
		}
		wg.Wait()
		if n := m.countCalls("Fetch"); n != 1 {
			t.Errorf("51 callers cost %d fetches", n)
		}
	})
}

func TestFetchFallsOver(t *testing.T) {
	for _, c := range []struct {
		name, dead, has string
		want            string
	}{
		{"all live", "", "abc", "1"},
		{"the closest is dead", "a", "abc", "1"},
		{"the closest has not got it yet", "", "c", "1"},
		{"nobody has it", "", "", "missing"},
		{"one of three is dead, the others do not have it", "b", "", "missing"},
		{"two of three are dead", "ab", "", "Unavailable"},
		{"all are dead", "abc", "abc", "Unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newTestMesh()
			for _, id := range "abc" {
				owner := m.addOwner(t, mesh.NodeID(id), PublisherOptions{})
				if strings.ContainsRune(c.has, id) {
					owner.merge(key("k"), setOf("1"))
				}
			}
			m.fault = func(to mesh.NodeID, _ wire.Message, _ bool) error {
				if strings.Contains(c.dead, string(to)) {
					return mesh.Errorf(mesh.Unavailable, "call", "dead")
				}
				return nil
			}
			cell, found, err := m.addCache(t, "c", Options{}).Fetch(t.Context(), key("k"), []mesh.NodeID{"a", "b", "c"})
			got := "missing"
			if err != nil {
				got = mesh.KindOf(err).String()
			} else if found {
				got = describe(cell)
			}
			if got != c.want {
				t.Errorf("Fetch gives %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestAChangeArrivesWithinAnEpochAndCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Epoch: 10 * time.Millisecond})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		a.merge(key("other"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		for i := range 100 {
			a.merge(key("k"), setOf(fmt.Sprint(i%5)))
			a.merge(key("other"), setOf("2")) // nobody subscribed
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if got := held(c, key("k")); got != "0 1 2 3 4" {
			t.Errorf("after an epoch: %s", got)
		}
		if n := m.countCalls("Push"); n != 1 {
			t.Errorf("100 changes cost %d pushes, want 1", n)
		}
	})
}

func TestAPushDuringTheFlightIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
			if _, is := req.(*pb.Fetch); is && handled { // the reply is on its way, and slow
				a.merge(key("k"), setOf("2"))
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		mustFetch(t, c, key("k"), "1 2", "a")
		if got := held(c, key("k")); got != "1 2" {
			t.Errorf("held %s", got)
		}
	})
}

func TestALostPushIsRepeated(t *testing.T) {
	for _, lostReply := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newTestMesh()
			a := m.addOwner(t, "a", PublisherOptions{})
			c := m.addCache(t, "c", Options{})
			a.merge(key("k"), setOf("1"))
			mustFetch(t, c, key("k"), "1", "a")
			lost := 0
			m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
				if _, is := req.(*pb.Push); is && handled == lostReply && lost < 3 {
					lost++
					return mesh.Errorf(mesh.DeadlineExceeded, "call", "lost")
				}
				return nil
			}
			a.merge(key("k"), setOf("2"))
			time.Sleep(15 * time.Millisecond)
			a.merge(key("k"), setOf("3"))
			time.Sleep(time.Second)
			synctest.Wait()
			if got := held(c, key("k")); got != "1 2 3" || lost != 3 {
				t.Errorf("held %s after %d lost pushes", got, lost)
			}
		})
	}
}

func TestALeaseIsRenewedByReadingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Lease: time.Second})
		c := m.addCache(t, "c", Options{})
		for _, name := range []string{"read", "left"} {
			a.merge(key(name), setOf("1"))
			mustFetch(t, c, key(name), "1", "a")
		}
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			if got := held(c, key("read")); got != "1" {
				t.Fatalf("the key that is read: %s", got)
			}
		}
		if got := held(c, key("left")); got != "nothing" || c.Holds(key("left")) {
			t.Errorf("the key that is not read is still held after its lease: %s", got)
		}
		if n := m.countCalls("Fetch"); n < 8 || n > 12 {
			t.Errorf("%d fetches in 5 leases of 1 s: want about 2 + 8", n)
		}
		a.merge(key("left"), setOf("2"))
		if n := a.Len(); n != 2 {
			t.Errorf("%d subscriptions", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a.merge(key("read"), setOf("2"))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := a.Len(); n != 0 {
			t.Errorf("%d subscriptions after their leases", n)
		}
	})
}

func TestStaleNoLongerThanTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{Lease: time.Second})
		c := m.addCache(t, "c", Options{AttemptTimeout: 50 * time.Millisecond})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		m.fault = func(mesh.NodeID, wire.Message, bool) error {
			return mesh.Errorf(mesh.Unavailable, "call", "cut off, and nobody noticed")
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		if got := held(c, key("k")); got != "nothing" {
			t.Errorf("held %s after the lease", got)
		}
	})
}

func TestDropForgetsOneOwner(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	m.addOwner(t, "b", PublisherOptions{}).merge(key("l"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	mustFetch(t, c, key("k"), "1", "a")
	mustFetch(t, c, key("l"), "1", "b")
	c.Drop("a")
	if held(c, key("k")) != "nothing" || held(c, key("l")) != "1" {
		t.Errorf("k %s, l %s: want only what came from a to be gone", held(c, key("k")), held(c, key("l")))
	}
}

func TestDropDuringTheFlight(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	m.fault = func(_ mesh.NodeID, _ wire.Message, handled bool) error {
		if handled {
			c.Drop("a")
		}
		return nil
	}
	mustFetch(t, c, key("k"), "1", "a")
	if got := held(c, key("k")); got != "nothing" {
		t.Errorf("held %s, though the connection ended", got)
	}
}

func TestAnOwnerStartedAnewVoidsWhatItPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		again := m.addOwner(t, "a", PublisherOptions{}) // and it knows of no subscription
		again.merge(key("k"), setOf("1", "2"))
		if _, err := c.HandlePush("a", &pb.Push{Session: again.session, Deltas: []*pb.PushedDelta{
			{Key: wire.FromKey(key("k")), Delta: setOf("3").AppendBinary(nil)},
		}}); err != nil {
			t.Fatal(err)
		}
		if got := held(c, key("k")); got != "nothing" {
			t.Errorf("held %s: the owner has forgotten the subscription, and 2 was never told", got)
		}
	})
}

func TestWhatIsNotHeldIsUnsubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{Bytes: 1}) // keeps nothing
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		if n := a.Len(); n != 1 {
			t.Fatalf("%d subscriptions, want 1", n)
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		synctest.Wait()
		if n := a.Len(); n != 0 {
			t.Errorf("%d subscriptions to what the cache let go", n)
		}
	})
}

func TestASubscriptionRenewedDuringAPushStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{})
		c := m.addCache(t, "c", Options{})
		a.merge(key("k"), setOf("1"))
		mustFetch(t, c, key("k"), "1", "a")
		c.Drop("a")
		fetched := false
		m.fault = func(_ mesh.NodeID, req wire.Message, handled bool) error {
			if _, is := req.(*pb.Push); is && handled && !fetched { // it was said to be unwanted, and is wanted anew
				fetched = true
				mustFetch(t, c, key("k"), "1 2", "a")
			}
			return nil
		}
		a.merge(key("k"), setOf("2"))
		time.Sleep(time.Second)
		a.merge(key("k"), setOf("3"))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := held(c, key("k")); got != "1 2 3" || !fetched {
			t.Errorf("held %s: the new subscription was taken for the old", got)
		}
	})
}

func TestTooMuchForOneSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTestMesh()
		a := m.addOwner(t, "a", PublisherOptions{PendingBytes: 2000})
		c := m.addCache(t, "c", Options{})
		for _, name := range []string{"large", "small"} {
			a.merge(key(name), setOf("1"))
			mustFetch(t, c, key(name), "1", "a")
		}
		a.merge(key("small"), setOf("2"))
		a.merge(key("large"), setOf(strings.Repeat("x", 5000)))
		time.Sleep(time.Second)
		synctest.Wait()
		if held(c, key("small")) != "1 2" || held(c, key("large")) != "nothing" {
			t.Errorf("small %s; of large something: want it forgotten", held(c, key("small")))
		}
		if n := a.Len(); n != 1 {
			t.Errorf("%d subscriptions, want 1", n)
		}
	})
}

func TestTooManySubscriptions(t *testing.T) {
	m := newTestMesh()
	a := m.addOwner(t, "a", PublisherOptions{Subscriptions: 2})
	c := m.addCache(t, "c", Options{})
	for i, want := range []string{"1", "1", "nothing"} {
		k := key(fmt.Sprint("k", i))
		a.merge(k, setOf("1"))
		mustFetch(t, c, k, "1", "a")
		if got := held(c, k); got != want {
			t.Errorf("key %d: held %s, want %s", i, got, want)
		}
	}
	a.Drop("c")
	if n := a.Len(); n != 0 {
		t.Errorf("%d subscriptions after the only subscriber was dropped", n)
	}
}

func TestHostilePushes(t *testing.T) {
	m := newTestMesh()
	m.addOwner(t, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(t, "c", Options{})
	mustFetch(t, c, key("k"), "1", "a")
	for name, d := range map[string]*pb.PushedDelta{
		"no key": {}, "not a cell": {Key: wire.FromKey(key("k")), Delta: []byte("nonsense")},
	} {
		if _, err := c.HandlePush("a", &pb.Push{Deltas: []*pb.PushedDelta{d}}); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	counter, _ := lattice.Cell{}.Apply(lattice.GCounterKind, lattice.IncOp(1), lattice.Write{Writer: "w"})
	if _, err := c.HandlePush("b", &pb.Push{Deltas: []*pb.PushedDelta{{Key: wire.FromKey(key("k")), Delta: counter.AppendBinary(nil)}}}); err != nil {
		t.Error(err)
	}
	if got := held(c, key("k")); got != "nothing" {
		t.Errorf("held %s after a push of another kind", got)
	}
}

func TestAClosedCacheSaysSo(t *testing.T) {
	m := newTestMesh()
	c := m.addCache(t, "c", Options{})
	c.Close()
	if _, _, err := c.Fetch(t.Context(), key("k"), []mesh.NodeID{"a"}); !errors.Is(err, mesh.Unavailable) {
		t.Errorf("Fetch = %v, want Unavailable", err)
	}
}

func BenchmarkHit(b *testing.B) {
	m := newTestMesh()
	m.addOwner(b, "a", PublisherOptions{}).merge(key("k"), setOf("1"))
	c := m.addCache(b, "c", Options{})
	if _, _, err := c.Fetch(b.Context(), key("k"), []mesh.NodeID{"a"}); err != nil {
		b.Fatal(err)
	}
	k := key("k")
	b.ReportAllocs()
	for b.Loop() {
		c.Get(k)
	}
}
