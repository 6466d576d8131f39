package replica

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/store"
)

var _ Local = (*store.Store)(nil)

// testMesh is a mesh of real replicas on real stores in memory. Only the
// network between them is made up: calls, which may be lost.
type testMesh struct {
	t     testing.TB
	nodes []*testNode

	mu    sync.Mutex
	rng   *rand.Rand
	drops float64       // how likely a request, or a reply, is lost
	delay time.Duration // the longest that either takes

	collectAfter, interval time.Duration // options of the nodes; 0: none, and the default
	maxHints               int           // of the stores; 0: the default
}

// testNode is one node. Tests change its state between calls, under mu of the mesh.
type testNode struct {
	*Replica
	mesh  *testMesh
	id    mesh.NodeID
	fs    *vfs.MemFS
	store *store.Store

	forgotten bool // by the others, for good
	returned  bool // its start found that they did
	aside     []mesh.Record

	answers bool // it runs and can be reached
	seen    bool // the others believe that it lives
	silent  bool // the others have not heard of it for long, and know that
	stop    func()

	turns atomic.Int64 // see put
}

func newTestMesh(t testing.TB, n int) *testMesh {
	return startTestMesh(&testMesh{t: t}, n)
}

// startTestMesh starts n nodes with the options of the mesh.
func startTestMesh(m *testMesh, n int) *testMesh {
	t := m.t
	m.rng = rand.New(rand.NewPCG(1, 2))
	for i := range n {
		node := &testNode{mesh: m, id: mesh.NodeID(fmt.Sprint("node-", i)), fs: vfs.NewCrashableMem(), seen: true}
		m.nodes = append(m.nodes, node)
	}
	for _, node := range m.nodes { // all are there before one looks at the others
		node.start()
	}
	for _, node := range m.nodes {
		node.ViewChanged()
	}
	m.eventually("all are settled", m.settled)
	t.Cleanup(func() {
		for _, node := range m.nodes {
			node.halt()
		}
	})
	return m
}

// settled reports whether each node that runs has taken over what it owns.
func (m *testMesh) settled() bool {
	for _, n := range m.nodes {
		if r := n.now(); n.runs() && !r.settled(len(n.Live())-1) {
			return false
		}
	}
	return true
}

// settled reports whether the replica sees so many others and has nothing to take over.
func (r *Replica) settled(others int) bool {
	r.sync.mu.Lock()
	defer r.sync.mu.Unlock()
	return r.sync.viewed && len(r.sync.settlement.peers) == others && r.sync.settlement.Count() == 0
}

// lose sets how likely a message is lost.
func (m *testMesh) lose(drops float64) {
	m.mu.Lock()
	m.drops = drops
	m.mu.Unlock()
}

// start opens the node's store and runs its replica.
func (n *testNode) start() {
	clock := hlc.New(n.id, time.Now, 0)
	s, err := store.Open(store.Options{
		Dir: "data", FS: n.fs, Node: n.id, Clock: clock, BirthAge: n.mesh.collectAfter / 2, MaxHints: n.mesh.maxHints, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		n.mesh.t.Fatal(err)
	}
	n.mesh.mu.Lock()
	n.returned = n.forgotten
	n.forgotten = false
	n.mesh.mu.Unlock()
	replica := New(Options{
		CollectAfter: n.mesh.collectAfter, AntiEntropyInterval: n.mesh.interval,
		Returned:   func() bool { n.mesh.mu.Lock(); defer n.mesh.mu.Unlock(); return n.returned },
		Reconciled: func() { n.mesh.mu.Lock(); defer n.mesh.mu.Unlock(); n.returned = false },
		OpenAside:  func() (Aside, error) { return n, nil },
		Self:       n.id, Local: s, Placement: n, Peers: n, Observe: clock.Observe, Now: clock.Now, Horizon: clock.Horizon,
		AttemptTimeout: 300 * time.Millisecond, RetryFirst: 20 * time.Millisecond, RetryLongest: 200 * time.Millisecond,
		ExpiryGrace: time.Second, ExpiryInterval: 100 * time.Millisecond, ExpiryTakeover: 5 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); replica.Run(ctx) }()
	n.mesh.mu.Lock()
	defer n.mesh.mu.Unlock()
	n.store, n.Replica, n.answers = s, replica, true
	n.stop = func() { cancel(); <-done; _ = s.Close() }
	replica.Joined()
}

func (n *testNode) runs() bool {
	n.mesh.mu.Lock()
	defer n.mesh.mu.Unlock()
	return n.answers
}

// now gives the replica that runs now; nodes are started again meanwhile.
func (n *testNode) now() *Replica {
	n.mesh.mu.Lock()
	defer n.mesh.mu.Unlock()
	return n.Replica
}

// halt ends the node, if it runs.
func (n *testNode) halt() {
	n.mesh.mu.Lock()
	ran := n.answers
	n.answers = false
	n.mesh.mu.Unlock()
	if ran {
		n.stop()
	}
}

// cut makes the node unreachable; the others still believe that it lives.
func (n *testNode) cut(off bool) {
	n.mesh.mu.Lock()
	n.answers = !off
	n.mesh.mu.Unlock()
}

// notice makes the others believe that the node lives, or does not.
func (n *testNode) notice(seen bool) {
	n.mesh.mu.Lock()
	n.seen = seen
	n.mesh.mu.Unlock()
	for _, other := range n.mesh.nodes {
		if seen {
			other.now().PeerUp(n.id)
		} else {
			other.now().ViewChanged()
		}
	}
}

// Keep is Aside's.
func (n *testNode) Keep(record mesh.Record) error {
	n.aside = append(n.aside, record)
	return nil
}

// Finish is Aside's.
func (n *testNode) Finish() (string, error) { return "memory", nil }

// Abandon is Aside's.
func (n *testNode) Abandon() { n.aside = nil }

// Call is Peers'.
func (n *testNode) Call(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, error) {
	target := n.mesh.node(to)
	if err := n.mesh.travel(ctx, n, target); err != nil {
		return nil, err
	}
	reply, err := target.serve(ctx, n.id, overTheWire(req))
	if err := n.mesh.travel(ctx, n, target); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, wire.ToError(wire.FromError(err, to))
	}
	return overTheWire(reply), nil
}

// CallUnlessSilent is Peers'.
func (n *testNode) CallUnlessSilent(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, bool, error) {
	reply, err := n.Call(ctx, to, req)
	return reply, false, err
}

// CallFresh is Peers'.
func (n *testNode) CallFresh(ctx context.Context, to mesh.NodeID, req wire.Message, within time.Duration, _ bool) (wire.Message, bool, error) {
	if n.mesh.isSilent(to) {
		return nil, true, mesh.Errorf(mesh.Unavailable, "call", "nothing is heard of it: %w", mesh.ErrUnsent)
	}
	return n.CallUnlessSilent(mesh.WithBeginBy(ctx, time.Now().Add(within)), to, req)
}

// isSilent reports whether nothing was heard of a node for long.
func (m *testMesh) isSilent(id mesh.NodeID) bool {
	target := m.node(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	return target.silent
}

// TellSilent is Peers': all know who is silent.
func (n *testNode) TellSilent(context.Context, mesh.NodeID, []mesh.NodeID) {}

// Go is Peers'.
func (n *testNode) Go(ctx context.Context, to mesh.NodeID, req wire.Message, done func(wire.Message, error)) {
	go func() { done(n.Call(ctx, to, req)) }()
}

// overTheWire makes a message what the other side would decode.
func overTheWire(m wire.Message) wire.Message {
	frame, err := wire.AppendFrame(nil, wire.Header{}, m)
	if err != nil {
		panic(err)
	}
	decoded, err := wire.ParseBody(wire.TypeOf(m), frame[wire.HeaderSize:])
	if err != nil {
		panic(err)
	}
	return decoded
}

// travel is the way of one message, there or back.
func (m *testMesh) travel(ctx context.Context, from, to *testNode) error {
	m.mu.Lock()
	connected := from.answers && to.answers
	lost := m.rng.Float64() < m.drops
	var delay time.Duration
	if m.delay > 0 {
		delay = time.Duration(m.rng.Int64N(int64(m.delay)))
	}
	m.mu.Unlock()
	if !connected {
		return mesh.Errorf(mesh.Unavailable, "call", "%s cannot be reached", to.id)
	}
	if lost {
		<-ctx.Done()
		return mesh.AsError("call", ctx.Err())
	}
	if delay == 0 {
		return nil
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return mesh.AsError("call", ctx.Err())
	}
}

func (n *testNode) serve(ctx context.Context, from mesh.NodeID, req wire.Message) (wire.Message, error) {
	replica := n.now()
	switch m := req.(type) {
	case *pb.Put:
		return replica.HandlePut(ctx, m)
	case *pb.Delete:
		return replica.HandleDelete(ctx, m)
	case *pb.Touch:
		return replica.HandleTouch(ctx, m)
	case *pb.CompareAndSet:
		return replica.HandleCompareAndSet(ctx, m)
	case *pb.List:
		return replica.HandleList(ctx, m)
	case *pb.Merge:
		return replica.HandleMerge(ctx, m)
	case *pb.MergeMany:
		return replica.HandleMergeMany(ctx, m)
	case *pb.AskWrite:
		return replica.HandleAskWrite(from, m)
	case *pb.Fetch:
		return replica.HandleFetch(ctx, from, m)
	case *pb.FetchParts:
		return replica.HandleFetchParts(ctx, m)
	case *pb.SyncDigests:
		return replica.HandleSyncDigests(ctx, from, m)
	case *pb.SyncPull:
		return replica.HandleSyncPull(ctx, m)
	case *pb.SyncDone:
		return &pb.Done{}, replica.HandleSyncDone(from, m)
	case *pb.Collect:
		return replica.HandleCollect(ctx, m)
	case *pb.SyncFloors:
		return replica.HandleSyncFloors(), nil
	case *pb.SyncNow:
		replica.HandleSyncNow(from)
		return &pb.Done{}, nil
	}
	return nil, mesh.Errorf(mesh.Invalid, "serve", "%T", req)
}

func (m *testMesh) node(id mesh.NodeID) *testNode {
	for _, n := range m.nodes {
		if n.id == id {
			return n
		}
	}
	panic("no node " + id)
}

// owners gives the owners of a key, the closest first, and the other nodes.
func (m *testMesh) owners(k mesh.Key) (owners, others []*testNode) {
	ids := m.nodes[0].Owners(k, 3)
	for _, id := range ids {
		owners = append(owners, m.node(id))
	}
	for _, n := range m.nodes {
		if !slices.Contains(ids, n.id) {
			others = append(others, n)
		}
	}
	return owners, others
}

// eventually waits for a condition.
func (m *testMesh) eventually(what string, condition func() bool) {
	m.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			m.t.Fatalf("never came true: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// owes reports whether some node that runs owes a delta to another.
func (m *testMesh) owes() bool {
	for _, n := range m.nodes {
		if !n.runs() {
			continue
		}
		nodes, err := n.store.HintedNodes(context.Background())
		if err != nil {
			m.t.Fatal(err)
		}
		if len(nodes) > 0 {
			return true
		}
	}
	return false
}

// becomes waits until nodes hold something.
func (m *testMesh) becomes(nodes []*testNode, k mesh.Key, want string) {
	m.t.Helper()
	for _, n := range nodes {
		m.eventually(fmt.Sprintf("%s holds %q of %v", n.id, want, k), func() bool { return n.holds(k) == want })
	}
}
