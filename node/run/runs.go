package run

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/internal/workers"
	"github.com/virga-mesh/virga/mesh"
)

// Bounds and defaults of Options.
const (
	DefaultTimeout   = 60 * time.Second
	MaxTimeout       = 24 * time.Hour
	DefaultAttempts  = 3
	MaxAttempts      = 1000 // less than mesh.GenerationAttempts
	DefaultMaxRuns   = 16384
	DefaultMaxBytes  = 256 << 20
	DefaultResultTTL = 15 * time.Minute
)

// Config is what a node's runs need. A zero number means its default.
type Config struct {
	Self       mesh.NodeID
	Catalog    Catalog
	Executor   Executor
	Peers      Peers
	Placer     Placer
	References References
	Sessions   Sessions
	Results    Results
	Outputs    Outputs
	// Room says how many more invocations of a function the executor has room
	// for now, and for how many at most. Nil: for any.
	Room func(fn mesh.FuncInfo) (free, limit int)

	Timeout   time.Duration // of a run whose caller has no deadline
	Attempts  int           // how often stages of a run are placed, at most
	MaxRuns   int           // runs that are coordinated, and as many that have stages here
	MaxBytes  int64         // of inputs and results that wait or are kept
	ResultTTL time.Duration // how long the record of a run is kept
	Log       *slog.Logger
}

// Runs are the runs of one node: those that it coordinates, and those of
// which it executes stages. It is safe for concurrent use.
type Runs struct {
	cfg Config

	ctx    context.Context // ends with Close
	stop   context.CancelFunc
	work   sync.WaitGroup // goroutines of this room
	stages *workers.Pool  // run stages

	held     atomic.Int64 // bytes of inputs and results that wait
	elements atomic.Int64 // of lists, that have room on this node
	batches  batches
	paces    paces
	counts   counts
	graphs   recent[*mesh.DAG, graph]
	plans    recent[string, plan] // by their encoding

	mu          sync.Mutex
	closed      bool
	coordinated map[mesh.RunID]*coordination // until they are over
	shares      map[runKey]*share
	history     history   // coordinated runs that are over
	forgotten   forgotten // attempts whose hops come too late
	early       early     // hops that came before the plan of their attempt
	spread      int       // coordinated runs that have stages elsewhere
	guarding    bool      // the guard runs

	ends ends
}

// runKey tells apart the executions of a run whose caller, who drew its id,
// went from one coordinator to another.
type runKey struct {
	run         mesh.RunID
	coordinator mesh.NodeID
}

// New starts nothing. Close ends what calls start.
func New(c Config) *Runs {
	c.Timeout = min(cmp.Or(c.Timeout, DefaultTimeout), MaxTimeout)
	c.Attempts = min(cmp.Or(c.Attempts, DefaultAttempts), MaxAttempts)
	c.MaxRuns = cmp.Or(c.MaxRuns, DefaultMaxRuns)
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.ResultTTL = cmp.Or(c.ResultTTL, DefaultResultTTL)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	r := &Runs{
		cfg:         c,
		coordinated: map[mesh.RunID]*coordination{},
		shares:      map[runKey]*share{},
		history:     newHistory(c.ResultTTL, c.MaxBytes/16),
		forgotten:   forgotten{attempts: map[runKey]uint32{}},
		early:       early{hops: map[runKey][]earlyHop{}},
		batches:     newBatches(),
		paces:       newPaces(),
		graphs:      newRecent[*mesh.DAG, graph](),
		plans:       newRecent[string, plan](),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.stages = workers.New(r.spawn, r.ctx.Done())
	return r
}

// UnderWay is how many runs this node coordinates now.
func (r *Runs) UnderWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.coordinated)
}

// Close ends all runs with Unavailable, cancels what executes, and waits for
// it. Calls that come later are Unavailable, messages are ignored.
func (r *Runs) Close() {
	r.mu.Lock()
	r.closed = true
	coordinated, shares := slices.Collect(maps.Values(r.coordinated)), slices.Collect(maps.Values(r.shares))
	waiting := slices.Collect(maps.Keys(r.early.hops))
	r.mu.Unlock()
	for _, key := range waiting {
		r.takeEarly(key, math.MaxUint32)
	}
	for _, c := range coordinated {
		c.abandon(errClosed())
	}
	for _, s := range shares {
		s.drop()
	}
	r.stop()
	r.work.Wait()
}

func errClosed() error { return mesh.Errorf(mesh.Unavailable, "", "the node is shutting down") }

// spawn runs f in a goroutine that Close waits for; not at all once closed.
func (r *Runs) spawn(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.work.Go(f)
	return true
}

// charge counts bytes that wait, negative when they no longer do. It
// refuses what would pass the bound, without counting it.
func (r *Runs) charge(bytes int64) error {
	if held := r.held.Add(bytes); bytes <= 0 || held <= r.cfg.MaxBytes {
		return nil
	}
	r.held.Add(-bytes)
	return mesh.Errorf(mesh.Overloaded, "", "inputs and results of runs fill their %d bytes: retry later", r.cfg.MaxBytes)
}

// crowded reports whether what waits, and what is kept, fills half of the
// bound: then no more results are kept than must be.
func (r *Runs) crowded() bool { return r.held.Load() > r.cfg.MaxBytes/2 }

// PeerDown tells of a node that died. What runs lost with it runs again;
// stages of runs that it coordinated are dropped. Coordinators of other runs
// that it took part in hear of it when they ask.
func (r *Runs) PeerDown(node mesh.NodeID) {
	r.mu.Lock()
	coordinated := slices.Collect(maps.Values(r.coordinated))
	shares := slices.Collect(maps.Values(r.shares))
	r.mu.Unlock()
	for _, s := range shares {
		switch sp := s.spec(); {
		case sp.coordinator == node:
			s.drop()
		case s.lead == nil && sp.uses(node):
			s.noteCutOff(node)
		}
	}
	for _, c := range coordinated {
		c.nodeDown(node)
	}
}
