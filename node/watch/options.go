package watch

import (
	"cmp"
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Local is this node's own store; node/store is one.
type Local interface {
	// Get gives the cell, which must not be changed.
	Get(key mesh.Key) (lattice.Cell, bool, error)
}

// Placement says who owns a key and who lives; dht does.
type Placement interface {
	// Owners gives the up to n live nodes closest to the key.
	Owners(key mesh.Key, n int) []mesh.NodeID
	// Owns reports whether this node is among them.
	Owns(key mesh.Key, n int) bool
	// Live lists the live nodes, this one included.
	Live() []mesh.NodeID
}

// Peers carries requests to nodes, this one included. Errors are those of the
// other node, or Unavailable, DeadlineExceeded, Cancelled.
type Peers interface {
	Call(ctx context.Context, node mesh.NodeID, req wire.Message) (wire.Message, error)
}

// Options say how changes are watched. Fields without a default are required.
type Options struct {
	Ring      *Ring // that the store feeds
	Local     Local
	Placement Placement
	Peers     Peers
	// Replicas is how many nodes own a key. Default 3.
	Replicas int
	// Watchers bounds how many wait at this node at once. More are
	// mesh.Overloaded. Default 256.
	Watchers int
	// Gather is how long changes are collected after a first one, so that the
	// owners' accounts of it become one event. Default 5 ms.
	Gather time.Duration
	// Slice is how long nodes are waited for before their number is looked at
	// again. Default 2 s.
	Slice time.Duration
	// AttemptTimeout bounds a request to a node that is not asked to wait.
	// Default 1 s.
	AttemptTimeout time.Duration
}

func (o Options) withDefaults() Options {
	o.Replicas = cmp.Or(o.Replicas, 3)
	o.Watchers = cmp.Or(o.Watchers, 256)
	o.Gather = cmp.Or(o.Gather, 5*time.Millisecond)
	o.Slice = cmp.Or(o.Slice, 2*time.Second)
	o.AttemptTimeout = cmp.Or(o.AttemptTimeout, time.Second)
	return o
}
