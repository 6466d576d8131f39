package replica

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Replica takes writes and reads of any key, and answers other nodes'. It is
// safe for concurrent use.
type Replica struct {
	Options
	mark     uint64 // lattice.Marked of Self
	recent   *recentWrites
	behind   behind
	memory   *writeMemory
	fates    *fates
	hinted   *hintedWrites
	forgiven forgiven
	swaps    *turns

	sending      atomic.Int64 // deltas on their way
	sendingBytes atomic.Int64 // of them
	repaired     atomic.Int64 // copies of keys that reads brought up to date
	expired      atomic.Int64 // keys that this node has deleted for having expired
	collected    atomic.Int64 // marks of deletes that it has forgotten
	aside        atomic.Int64 // keys that it has set aside
	dropped      atomic.Int64 // debts that it has dropped, because there were too many

	// What still runs after the call that started it has returned: sending to
	// owners that a write did not wait for.
	background   context.Context
	stop         context.CancelFunc
	backgroundMu sync.RWMutex
	stopped      bool
	running      sync.WaitGroup

	dueMu sync.Mutex
	due   *deliveries
	wake  chan struct{} // due has changed

	sync  *syncing
	sight chan struct{} // nodes came or went

	outboxes outboxes
	flights  flights
	begun    begunPuts
}

// New makes a Replica. It delivers what other nodes are owed, and takes over
// what it is to own, only while Run runs, and the latter once Joined was called.
func New(o Options) *Replica {
	o = o.withDefaults()
	background, stop := context.WithCancel(context.Background())
	r := &Replica{
		Options: o, mark: lattice.Marked(string(o.Self)), recent: newRecentWrites(o.RememberedWrites),
		memory: newWriteMemory(o.HeldWrites, time.Now()), hinted: newHintedWrites(o.RememberedWrites),
		fates:      newFates(o.HeldWrites, time.Now()),
		swaps:      newTurns(),
		background: background, stop: stop,
		due: newDeliveries(o.RetryFirst, o.RetryLongest), wake: make(chan struct{}, 1),
		sync: newSyncing(o), sight: make(chan struct{}, 1),
	}
	r.flights.doubts.now = o.Now
	r.flights.doubts.raise()
	return r
}

// Run delivers to other nodes what they are owed, keeps what this node holds
// equal to what it owns, and deletes what expires, until the context ends.
// When it returns, nothing that a write started runs any more, and writes are
// refused with mesh.Unavailable. It is called once.
func (r *Replica) Run(ctx context.Context) {
	r.running.Go(func() { r.synchronize(ctx) })
	r.running.Go(func() { r.handOver(ctx) })
	r.running.Go(func() { r.comeHome(ctx) })
	r.recallTaken(ctx)
	r.running.Go(func() { r.expire(ctx) })
	if r.CollectAfter > 0 {
		r.running.Go(func() { r.collectMarks(ctx) })
	}
	r.deliver(ctx)
	r.backgroundMu.Lock()
	r.stopped = true
	r.backgroundMu.Unlock()
	r.stop()
	r.running.Wait()
}

// spawn runs f beside the caller, and reports false if Run has ended.
func (r *Replica) spawn(f func()) bool {
	r.backgroundMu.RLock()
	defer r.backgroundMu.RUnlock()
	if !r.stopped {
		r.running.Go(f)
	}
	return !r.stopped
}

// enter keeps Run from returning until leave, and reports false if it has ended.
func (r *Replica) enter() bool {
	r.backgroundMu.RLock()
	defer r.backgroundMu.RUnlock()
	if !r.stopped {
		r.running.Add(1)
	}
	return !r.stopped
}

func (r *Replica) leave() { r.running.Done() }

// attempt bounds a request of so many bytes to one node, within what the caller waits for.
func (r *Replica) attempt(ctx context.Context, bytes int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.patience(bytes))
}

// patience is how long a request of so many bytes is waited for.
func (r *Replica) patience(bytes int) time.Duration {
	return r.AttemptTimeout + time.Duration(bytes)*time.Second/slowestRate
}

// slowestRate is how fast a request of many bytes is expected to travel, in bytes per second.
const slowestRate = 1 << 20

func (r *Replica) owners(key mesh.Key) []mesh.NodeID { return r.Placement.Owners(key, r.Replicas) }

// knownOwners are who would own the key if nobody was away.
func (r *Replica) knownOwners(key mesh.Key) []mesh.NodeID {
	return r.Placement.KnownOwners(key.Partition(), r.Replicas)
}

// others are the owners without this node.
func (r *Replica) others(owners []mesh.NodeID) []mesh.NodeID {
	at := slices.Index(owners, r.Self)
	if at < 0 {
		return owners
	}
	return slices.Concat(owners[:at], owners[at+1:])
}

// fallsOver reports whether the next owner should be tried after an error.
func fallsOver(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	kind := mesh.KindOf(err)
	return kind.Retryable() || kind == mesh.DeadlineExceeded
}
