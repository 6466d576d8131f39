package txn

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Options are what Txns needs.
type Options struct {
	Self  mesh.NodeID
	Store Store
	// Now gives a stamp after all that this node has given or seen, and Observe
	// makes what it gives later follow one of others.
	Now     func() lattice.Stamp
	Observe func(lattice.Stamp) error
	// Live reports whether a node can be reached, as far as this one knows.
	Live  func(mesh.NodeID) bool
	Peers interface {
		Call(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, error)
	}
	Log *slog.Logger

	// Patience is how long a home that lives is left alone with its transaction:
	// by who has to have it resolved, and by owners of the record. Default 3 s.
	Patience time.Duration
	// Linger is how long a transaction is tried to be carried through once its
	// caller has been answered or has gone, and by others than its home. Default 30 s.
	Linger time.Duration
	// Attempt bounds one request to the store. Default 5 s.
	Attempt time.Duration
	// Behind is how many transactions may go on without a caller. Default 64.
	Behind int
	// Period is how often Run looks for what others have left. Default 1 s.
	Period time.Duration
}

// Bounds.
const (
	maxFlights   = 1024 // transactions that are being resolved
	maxAtHand    = 32   // of them with their writes in memory
	writesAtOnce = 16   // of one transaction
)

// Txns are the transactions that a node has to do with. It is safe for concurrent use.
type Txns struct {
	Options
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	behind chan struct{} // a place for each commit that goes on without its caller
	atHand chan struct{} // a place for each transaction that is being completed
	sweep  sweep

	mu      sync.Mutex
	closed  bool
	commits map[lattice.Stamp]*commit // of which this node is the home
	flights map[lattice.Stamp]*flight // that are being resolved
}

// New starts nothing. Close ends what calls start.
func New(o Options) *Txns {
	o.Patience, o.Linger = cmp.Or(o.Patience, 3*time.Second), cmp.Or(o.Linger, 30*time.Second)
	o.Attempt, o.Period = cmp.Or(o.Attempt, 5*time.Second), cmp.Or(o.Period, time.Second)
	o.Behind = cmp.Or(o.Behind, 64)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	t := &Txns{
		Options: o, behind: make(chan struct{}, o.Behind), atHand: make(chan struct{}, maxAtHand), sweep: newSweep(),
		commits: map[lattice.Stamp]*commit{}, flights: map[lattice.Stamp]*flight{},
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// Close ends what is under way. What was committed others carry through.
func (t *Txns) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.stop()
	t.work.Wait()
}

func errClosed() error { return mesh.Errorf(mesh.Unavailable, "commit", "the node is shutting down") }
