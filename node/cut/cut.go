package cut

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Options are what a Cut needs.
type Options struct {
	Self  mesh.NodeID
	Peers interface {
		Call(ctx context.Context, to mesh.NodeID, req wire.Message) (wire.Message, error)
	}
	// View is the mesh as this node sees it now. It is called often.
	View func() View
	// Now gives a stamp after all that this node has given or seen, and makes
	// what it gives later follow one of others.
	Now     func() lattice.Stamp
	Observe func(lattice.Stamp) error
	// Flush returns when a node has answered for all that this one wrote before
	// the call, and tells how often it has failed to answer since the start.
	Flush func(ctx context.Context, to mesh.NodeID) (unsure uint64, err error)
	// Audit brings here what a node holds and this one, an owner of it, does not.
	Audit func(ctx context.Context, with mesh.NodeID) error
	// MaxSkew is how far clocks may be apart. Default 1 min.
	MaxSkew time.Duration
	// Timeout bounds how long a node is waited for that is to vouch. Default 250 ms.
	Timeout time.Duration
	Log     *slog.Logger
}

// Bounds: of audits, one at a time, and of asking.
const (
	auditTimeout  = 30 * time.Second
	defaultVouch  = 250 * time.Millisecond
	pauseOfAudits = 250 * time.Millisecond // after one that failed
	pauseOfNodes  = 100 * time.Millisecond // that did not vouch, before they are asked again
)

// Cut tells whether this node has all of a past. It is safe for concurrent use.
type Cut struct {
	Options
	life uint64

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	machine  *machine
	asking   map[mesh.NodeID]*question
	refused  map[mesh.NodeID]time.Time // when nodes last did not vouch
	auditing bool
}

// question is one that a node is being asked. All who want to know wait for it.
type question struct{ answered chan struct{} }

// New starts nothing. Close ends what calls start.
func New(o Options) *Cut {
	if o.Timeout == 0 {
		o.Timeout = defaultVouch
	}
	if o.MaxSkew == 0 {
		o.MaxSkew = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Cut{Options: o, life: rand.Uint64(), machine: newMachine(o.Self, o.MaxSkew), asking: map[mesh.NodeID]*question{}, refused: map[mesh.NodeID]time.Time{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Close ends what is under way.
func (c *Cut) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.work.Wait()
}

// Has reports whether this node has all of a past, as far as it owns what was
// written, in the view as it is now. Nodes whose word is too old are asked
// once; where their word is worth nothing yet, for want of an audit, that is not
// waited for. False says that it cannot be told now.
func (c *Cut) Has(ctx context.Context, need lattice.Past) bool {
	for round := range 2 {
		yes, waits := c.look(need, round == 0)
		if yes || len(waits) == 0 {
			return yes
		}
		for _, q := range waits {
			select {
			case <-q.answered:
			case <-ctx.Done():
				return false
			}
		}
	}
	yes, _ := c.look(need, false)
	return yes
}

// Prepare is Has for who does not need the answer yet, but may soon. It does not wait.
func (c *Cut) Prepare(need lattice.Past) { c.look(need, true) }

// Held is a past that Has says yes to, as is known without asking anybody. It
// tells nothing of this node's own writes, which may be under way.
func (c *Cut) Held() lattice.Past {
	seen := c.View()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machine.See(seen)
	return c.machine.Held()
}

// look asks the machine, and, if it may, the nodes that can help.
func (c *Cut) look(need lattice.Past, mayAsk bool) (yes bool, waits []*question) {
	seen := c.View()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machine.See(seen)
	yes, ask := c.machine.Has(need)
	if yes || c.closed {
		return yes, nil
	}
	for _, id := range ask {
		switch q := c.asking[id]; {
		case time.Since(c.refused[id]) < pauseOfNodes: // nor would it now: who reads need not wait for it
			return false, nil
		case q != nil:
			waits = append(waits, q)
		case mayAsk:
			waits = append(waits, c.ask(id, need.Of(string(id))))
		}
	}
	if !c.machine.Compared() {
		return false, nil
	}
	return false, waits
}

// ask has a node vouch, up to a time at least. c.mu is held.
func (c *Cut) ask(id mesh.NodeID, upTo uint64) *question {
	q := &question{make(chan struct{})}
	c.asking[id] = q
	c.work.Go(func() {
		v, err := c.vouched(id, upTo)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asking, id)
		close(q.answered)
		if err != nil || v.View != c.machine.view.Digest {
			c.refused[id] = time.Now()
		} else {
			delete(c.refused, id)
		}
		if err != nil {
			c.Log.Debug("a node does not vouch", "node", id.Short(), "err", err)
			return
		}
		c.machine.Vouched(id, v)
		c.audit()
	})
	return q
}

func (c *Cut) vouched(id mesh.NodeID, upTo uint64) (Voucher, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.Timeout)
	defer cancel()
	m, err := c.Peers.Call(ctx, id, &pb.Vouch{Time: upTo})
	if err != nil {
		return Voucher{}, err
	}
	reply, ok := m.(*pb.VouchReply)
	if !ok || len(reply.View) != len(mesh.ID{}) {
		return Voucher{}, mesh.Errorf(mesh.Internal, "vouch", "node %s answered with %T: expected %T", id.Short(), m, reply)
	}
	return Voucher{View: mesh.ID(reply.View), Life: reply.Life, Unsure: reply.Unsure, UpTo: reply.UpTo}, nil
}

// audit begins the audits that are due, one after the other. c.mu is held.
func (c *Cut) audit() {
	if c.auditing || c.closed {
		return
	}
	due := c.machine.Audits()
	if len(due) == 0 {
		return
	}
	c.auditing = true
	c.work.Go(func() {
		failed := false
		for _, a := range due {
			ctx, cancel := context.WithTimeout(c.ctx, auditTimeout)
			err := c.Audit(ctx, a.Peer)
			cancel()
			if err != nil {
				failed = true
				c.Log.Debug("an audit failed", "node", a.Peer.Short(), "err", err)
			}
			c.mu.Lock()
			c.machine.Audited(a, err == nil)
			c.mu.Unlock()
		}
		if failed {
			select {
			case <-time.After(pauseOfAudits):
			case <-c.ctx.Done():
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.auditing = false
		c.audit()
	})
}

// HandleVouch vouches for this node's writes to a node.
func (c *Cut) HandleVouch(ctx context.Context, from mesh.NodeID, m *pb.Vouch) (*pb.VouchReply, error) {
	if err := c.Observe(lattice.Stamp{Time: m.Time}); err != nil {
		return nil, err
	}
	view := c.View()
	upTo := c.Now().Time // what is written after the flush begins has later stamps
	unsure, err := c.Flush(ctx, from)
	if err != nil {
		return nil, err
	}
	if c.View().Number != view.Number {
		return nil, mesh.Errorf(mesh.Unavailable, "vouch", "nodes have just come or gone: retry")
	}
	// In another view, which the asker may never have had, others owned its keys.
	return &pb.VouchReply{View: view.Digest[:], Life: c.life, Unsure: unsure + view.Number, UpTo: upTo}, nil
}
