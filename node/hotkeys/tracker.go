package hotkeys

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Tracker is a node's part in finding hot keys and in serving them. It is
// safe for concurrent use.
type Tracker struct {
	Options

	countMu sync.Mutex
	counter *counter

	mu      sync.Mutex // of what is decided, and what was heard
	raising *raising
	raised  raised
	ticks   int

	spread atomic.Pointer[map[mesh.Key]spread] // what is raised; nil: nothing
}

// spread is who serves a hot key.
type spread struct {
	owners  []mesh.NodeID
	readers []mesh.NodeID // beside the owners
	here    bool          // this node is one of readers
}

// New makes a tracker. It tells and hears nothing before Run runs.
func New(o Options) *Tracker {
	o = o.withDefaults()
	return &Tracker{Options: o, counter: newCounter(o.Counted, o.Life), raising: newRaising(o), raised: raised{}}
}

// Read counts a read without a quorum that this node serves: as an owner, or
// else from its cache, which counts where the node is an extra reader. For
// most reads it costs a random number.
func (t *Tracker) Read(key mesh.Key, owner bool) {
	if t.Sample > 1 && rand.Uint32N(uint32(t.Sample)) != 0 {
		return
	}
	if !owner && !t.spreadOf(key).here {
		return
	}
	t.countMu.Lock()
	t.counter.Add(key, float64(t.Sample))
	t.countMu.Unlock()
}

// Readers are the nodes that serve reads of a hot key beside its owners; none
// for other keys. The slice is shared: it must not be changed.
func (t *Tracker) Readers(key mesh.Key) []mesh.NodeID { return t.spreadOf(key).readers }

// Order gives the owners of a key in the order in which to ask them: as they
// are, or for a hot key each of them first in its turn.
func (t *Tracker) Order(key mesh.Key, owners []mesh.NodeID) []mesh.NodeID {
	if len(t.spreadOf(key).readers) == 0 || len(owners) < 2 {
		return owners
	}
	first := rand.IntN(len(owners))
	return slices.Concat(owners[first:], owners[:first])
}

func (t *Tracker) spreadOf(key mesh.Key) spread {
	if all := t.spread.Load(); all != nil {
		return (*all)[key]
	}
	return spread{}
}

// Run tells, decides and keeps copies, until the context ends. It is called once.
func (t *Tracker) Run(ctx context.Context) {
	ticker := time.NewTicker(t.Period)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		t.tick(ctx, now, now.Sub(last))
		last = now
	}
}

// tick is one period: what was counted goes to the primaries, what this node
// decides as a primary goes to all, and what all know is followed.
func (t *Tracker) tick(ctx context.Context, now time.Time, passed time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, t.Period)
	defer cancel()
	t.tell(ctx, t.measure(passed), now)
	t.announce(ctx, t.decide(now))
	t.follow(now)
}

// follow makes what is raised known to readers, and keeps the copies that this node is to serve.
func (t *Tracker) follow(now time.Time) {
	t.mu.Lock()
	t.raised.Expire(now)
	extra := t.raised.Extra()
	t.mu.Unlock()
	if len(extra) == 0 {
		t.spread.Store(nil)
		return
	}
	all := make(map[mesh.Key]spread, len(extra))
	for key, n := range extra {
		nodes := t.Placement.Owners(key, t.Replicas+n)
		owners := min(t.Replicas, len(nodes))
		s := spread{owners: nodes[:owners:owners], readers: nodes[owners:]}
		s.here = slices.Contains(s.readers, t.Self)
		all[key] = s
	}
	t.spread.Store(&all)
	for key, s := range all {
		if s.here {
			t.Cache.Pin(key, t.Order(key, s.owners))
		}
	}
}
