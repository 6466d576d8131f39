package node

import (
	"context"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Node is one node of a mesh. It is an sdk.Transport: sdk.Attach makes a
// client of it that sends nothing over the network.
type Node struct {
	cfg     Config
	natives []native

	began   atomic.Bool
	rooms   atomic.Pointer[rooms] // while it runs
	ready   chan struct{}
	stopped chan struct{}
}

// native is a function of the program that embeds the node.
type native struct {
	ref    mesh.FuncRef
	raw    fn.Raw
	limits mesh.Limits
}

// Option adds to a node what is not configuration.
type Option func(*Node)

// Handle makes f a native function of this node, under name in the default namespace.
func Handle[In, Out any](name string, f func(context.Context, In) (Out, error)) Option {
	return HandleRaw(mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}, fn.Wrap(f), mesh.Limits{})
}

// HandleInit is Handle for a function that needs to be made first, as a class
// is: construct runs once on this node, at the first call, and what it
// captured stays from call to call. Its error is that of the call, and the
// next call tries again.
func HandleInit[In, Out any](name string, construct func(context.Context) (func(context.Context, In) (Out, error), error)) Option {
	return HandleRaw(mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: name}, fn.WrapInit(construct), mesh.Limits{})
}

// HandleRaw makes raw a native function of this node, with limits of its own
// where they are not zero.
func HandleRaw(ref mesh.FuncRef, raw fn.Raw, limits mesh.Limits) Option {
	return func(n *Node) { n.natives = append(n.natives, native{ref: ref, raw: raw, limits: limits}) }
}

// New checks the configuration, and starts nothing. What is wrong with it is
// an Invalid error.
func New(cfg Config, options ...Option) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, ready: make(chan struct{}), stopped: make(chan struct{})}
	for _, option := range options {
		option(n)
	}
	if err := n.validateNatives(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Node) validateNatives() error {
	seen := map[mesh.FuncRef]bool{}
	for _, native := range n.natives {
		if err := native.ref.Validate(); err != nil {
			return err
		}
		if seen[native.ref] {
			return mesh.Errorf(mesh.Invalid, "node configuration", "function %s is handled twice: expected one handler for each name", native.ref)
		}
		seen[native.ref] = true
	}
	return nil
}

// Run runs the node until ctx ends, and leaves nothing behind: no goroutine,
// no open file, no socket. A node runs once. The error says why it could not
// start, or what failed beyond repair; it is nil after an orderly end.
func (n *Node) Run(ctx context.Context) error {
	if n.began.Swap(true) {
		return mesh.Errorf(mesh.Invalid, "run node", "it has run already: expected one Run for each New")
	}
	defer close(n.stopped)
	r, err := open(n)
	if err != nil {
		return err
	}
	n.rooms.Store(r)
	defer n.rooms.Store(nil)
	return r.run(ctx, func() { close(n.ready) })
}

// Ready is closed once the node has joined the mesh and takes requests.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Stopped is closed once Run has returned.
func (n *Node) Stopped() <-chan struct{} { return n.stopped }

// ID is the node's identity; empty before it runs.
func (n *Node) ID() mesh.NodeID {
	if r := n.rooms.Load(); r != nil {
		return r.self
	}
	return ""
}

// Addrs are where the node takes connections, as ip:port; none before it runs.
func (n *Node) Addrs() []string {
	if r := n.rooms.Load(); r != nil {
		return r.endpoint.Addrs()
	}
	return nil
}

// Peers are the live nodes that this one sees, itself included.
func (n *Node) Peers() []mesh.NodeID {
	if r := n.rooms.Load(); r != nil {
		return r.live()
	}
	return nil
}

// Unsettled is of how many partitions of the state this node is an owner and
// has yet to take over what live nodes hold; those of all before it runs.
func (n *Node) Unsettled() int {
	if r := n.rooms.Load(); r != nil {
		return r.replica.Unsettled()
	}
	return mesh.Partitions
}
