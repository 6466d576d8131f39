package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/node/cellmap"
)

// Peers carries requests to other nodes. Errors are those of the other node,
// or Unavailable, DeadlineExceeded, Cancelled.
type Peers interface {
	Call(ctx context.Context, node mesh.NodeID, req wire.Message) (wire.Message, error)
	// CallUnlessSilent is Call for a request that another node may answer as
	// well: it gives up, with Unavailable, when nothing is heard from the node.
	CallUnlessSilent(ctx context.Context, node mesh.NodeID, req wire.Message) (reply wire.Message, silent bool, err error)
}

// Options say how a cache works. Fields without a default are required.
type Options struct {
	Peers Peers
	// Bytes bounds the cells held. Default 64 MiB.
	Bytes int64
	// AttemptTimeout bounds each request to one owner that lives but does
	// not answer. Default 5 s.
	AttemptTimeout time.Duration
	// Log receives what goes wrong. Default: slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Cache holds cells of keys that other nodes own. It is safe for concurrent use.
type Cache struct {
	Options
	cells *cellmap.Map[subscription]
	tasks *tasks

	hits, misses, pushed atomic.Uint64

	// mu makes one step of looking for a flight, and of what follows from it.
	// It is taken before the lock of a cell.
	mu      sync.Mutex
	flights map[mesh.Key]*flight
}

// subscription is the promise of an owner to push changes of one key.
type subscription struct {
	owner   mesh.NodeID
	session uint64    // of the owner's subscriptions
	renew   time.Time // from then on a read renews it
	end     time.Time
}

// New makes a cache. Close ends it.
func New(o Options) *Cache {
	o = o.withDefaults()
	return &Cache{
		Options: o,
		cells:   cellmap.New[subscription](o.Bytes, nil),
		tasks:   newTasks(),
		flights: make(map[mesh.Key]*flight),
	}
}

// Close ends the requests under way, and waits for them. Fetch gives
// mesh.Unavailable from then on.
func (c *Cache) Close() { c.tasks.close() }

// Get gives what the cache holds of a key, if it has a subscription to it.
// The cell must not be changed. Get makes no request and allocates nothing,
// except that it renews, beside the caller, a subscription whose end is near.
func (c *Cache) Get(key mesh.Key) (lattice.Cell, bool) {
	cell, ok := c.held(key)
	if ok {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
	return cell, ok
}

func (c *Cache) held(key mesh.Key) (lattice.Cell, bool) {
	cell, s, ok := c.cells.Get(key)
	if !ok {
		return lattice.Cell{}, false
	}
	now := time.Now()
	if now.Before(s.renew) {
		return cell, true
	}
	if !now.Before(s.end) {
		return lattice.Cell{}, false
	}
	c.fly(key, []mesh.NodeID{s.owner})
	return cell, true
}

// Pin keeps a key here, and fresh, whether it is read or not, if it is called
// again well within the time of a lease: it subscribes where the cache has no
// subscription, with the owners as Fetch takes them, and renews one whose end
// is near. It waits for nothing.
func (c *Cache) Pin(key mesh.Key, owners []mesh.NodeID) {
	if _, ok := c.held(key); !ok {
		c.fly(key, owners)
	}
}

// Holds reports whether Get would give a cell, without it counting as use.
func (c *Cache) Holds(key mesh.Key) bool {
	s, ok := c.cells.Peek(key)
	return ok && time.Now().Before(s.end)
}

// Drop forgets what was subscribed to at a node: the connection to it ended,
// and with it the word that changes would be told.
func (c *Cache) Drop(node mesh.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.flights {
		f.void(node)
	}
	c.cells.RemoveIf(func(_ mesh.Key, s subscription) bool { return s.owner == node })
}

// Stats are figures of a cache.
type Stats struct {
	Keys         int
	Bytes        int64
	Hits, Misses uint64 // of Get
	Pushed       uint64 // deltas that owners have sent
}

// Stats gives the figures as they are now.
func (c *Cache) Stats() Stats {
	return Stats{
		Keys: c.cells.Len(), Bytes: c.cells.Bytes(),
		Hits: c.hits.Load(), Misses: c.misses.Load(), Pushed: c.pushed.Load(),
	}
}
