package session

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes, each with a store of its own that may differ from the
// others' at any time.
type world struct {
	t     *testing.T
	names []mesh.NodeID
	nodes map[mesh.NodeID]*node

	mu    sync.Mutex
	cut   map[mesh.NodeID]bool // cannot be reached
	calls int                  // between nodes
	hold  chan struct{}        // answers to writes are on their way until it is closed; nil: as lag says
	lag   int                  // how long answers to writes are on their way, in turns of the scheduler
	now   uint64
}

type node struct {
	*Sessions
	world *world
	self  mesh.NodeID
	mu    sync.Mutex
	store map[mesh.Key]lattice.Value
}

func newWorld(t *testing.T, n int) *world {
	w := &world{t: t, nodes: map[mesh.NodeID]*node{}, cut: map[mesh.NodeID]bool{}}
	for i := range n {
		self := mesh.NodeID(fmt.Sprint("n", i))
		at := &node{world: w, self: self, store: map[mesh.Key]lattice.Value{}}
		at.Sessions = New(Config{Self: self, Peers: at, Read: at.read, Stamp: w.stamp})
		t.Cleanup(at.Sessions.Close)
		w.names, w.nodes[self] = append(w.names, self), at
	}
	return w
}

func (w *world) at(i int) *node { return w.nodes[w.names[i]] }

func (w *world) stamp() lattice.Stamp {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	return lattice.Stamp{Time: w.now}
}

func (w *world) setCut(i int, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[w.names[i]] = cut
}

// made is how many calls nodes have made.
func (w *world) made() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

func (w *world) begin(home int) mesh.Session {
	w.t.Helper()
	of, err := w.at(home).Begin(mesh.Repeatable)
	if err != nil {
		w.t.Fatal(err)
	}
	return of
}

func (n *node) read(_ context.Context, key mesh.Key) (lattice.Value, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value, ok := n.store[key]
	if !ok {
		return value, true, mesh.Errorf(mesh.NotFound, "read", "no such key")
	}
	return value.Clone(), true, nil
}

// change writes into the node's own store, past all sessions.
func (n *node) change(key mesh.Key, kind lattice.Kind, op lattice.Op) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value, ok := n.store[key]
	if !ok {
		value = lattice.New(kind)
	}
	delta, err := lattice.Apply(value, op, lattice.Write{Stamp: n.world.stamp(), Writer: string(n.self)})
	if err == nil {
		value = value.Clone()
		_, err = value.Merge(delta)
	}
	if err != nil {
		n.world.t.Error(err)
	}
	n.store[key] = value
}

func (n *node) reach(to mesh.NodeID) (*node, error) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.world.calls++
	if n.world.cut[to] || n.world.cut[n.self] {
		return nil, mesh.Errorf(mesh.Unavailable, "", "%s cannot be reached", to)
	}
	return n.world.nodes[to], nil
}

func (n *node) Call(ctx context.Context, to mesh.NodeID, m wire.Message) (wire.Message, error) {
	other, err := n.reach(to)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *pb.PinRead:
		return other.HandlePinRead(ctx, n.self, m)
	case *pb.PinWrite:
		reply, err := other.HandlePinWrite(ctx, n.self, m)
		if n.world.hold != nil {
			<-n.world.hold
		}
		for range n.world.lag { // on its way
			runtime.Gosched()
		}
		return reply, err
	case *pb.ReadPinned:
		return other.HandleReadPinned(m)
	case *pb.ForgetPinned:
		return &pb.Done{}, other.HandleForgetPinned(m)
	}
	return nil, mesh.Errorf(mesh.Internal, "", "%T", m)
}

func (n *node) Send(_ context.Context, to mesh.NodeID, m wire.Message) error {
	other, err := n.reach(to)
	if err != nil {
		return err
	}
	return other.HandleEndSession(n.self, m.(*pb.EndSession))
}

// sees gives what a session sees of a key on a node, as text.
func (w *world) sees(of mesh.Session, i int, key mesh.Key) string {
	w.t.Helper()
	value, _, err := w.at(i).Get(w.within(), of, key)
	switch {
	case mesh.KindOf(err) == mesh.NotFound && err != nil:
		return "nothing"
	case err != nil:
		w.t.Fatal(err)
	}
	return text(value)
}

func text(value lattice.Value) string {
	if payload, ok := value.Payload(); ok {
		return string(payload)
	}
	if n, ok := value.Count(); ok {
		return fmt.Sprint(n)
	}
	return fmt.Sprint(value.Len())
}

func (w *world) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

// goesOn has a run go on from one node to another, as by a hop.
func (w *world) goesOn(of mesh.Session, from, to int) {
	w.t.Helper()
	if err := w.at(to).Learn(of, w.at(from).Past(of)); err != nil {
		w.t.Error(err)
	}
}

// put makes a write on a node's own store, for a session.
func (w *world) put(of mesh.Session, i int, key mesh.Key, kind lattice.Kind, op lattice.Op) {
	w.t.Helper()
	err := w.at(i).Put(w.within(), of, Write{key, kind, op, ""}, func(*Causes) error { w.at(i).change(key, kind, op); return nil })
	if err != nil {
		w.t.Error(err)
	}
}

func key(name string) mesh.Key { return mesh.Key{Namespace: mesh.DefaultNamespace, Name: name} }
