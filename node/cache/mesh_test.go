package cache

import (
	"context"
	"fmt"
	"log/slog"
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

// copied gives what the owner holds: a request that reached it before it was
// killed is still served from its own map.
func (o *testOwner) copied() map[mesh.Key]lattice.Cell {
	o.mu.Lock()
	defer o.mu.Unlock()
	cells := map[mesh.Key]lattice.Cell{}
	for k, cell := range o.cells {
		cells[k] = cell.Clone()
	}
	return cells
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
