package link

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/semaphore"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// Conn is one connection to a peer. Its methods may be called from many goroutines.
type Conn struct {
	endpoint *Endpoint
	quic     *quic.Conn
	peer     admission.Member
	dialled  bool // by this side
	greeting greeting

	requests *frameWriter // our stream: requests and one-way messages out
	replies  *frameWriter // the peer's stream: our replies out
	answers  *frameReader // our stream: replies in
	incoming *frameReader // the peer's stream: requests and one-way messages in

	calls   callTable
	serving servingTable
	slots   chan struct{}       // held by each message that is being served off the reading goroutine
	large   *semaphore.Weighted // bytes of large frames in memory

	opened  time.Time // for when requests are sent, in the peer's words
	arrival arrival   // of requests that must be fresh

	ctx    context.Context // ends with the connection
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the connection is out of the endpoint's table

	lookMu sync.Mutex // held by look
	quiet  silence    // for look
	silent atomic.Pointer[chan struct{}]

	mu      sync.Mutex
	ended   bool        // no more goroutines may be started
	watcher *time.Timer // runs look; nil before the first call
	tasks   sync.WaitGroup
	said    atomic.Pointer[error] // the reason given to CloseWithReason
}

func newConn(e *Endpoint, qc *quic.Conn, peer admission.Member, dialled bool) *Conn {
	c := &Conn{
		endpoint: e, quic: qc, peer: peer, dialled: dialled,
		slots: make(chan struct{}, e.config.Limits.InFlight),
		large: semaphore.NewWeighted(e.config.Limits.LargeBytes),
		done:  make(chan struct{}), opened: time.Now(),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.calls.waiting = make(map[uint64]*waiter)
	c.calls.watch = c.watch
	c.quiet.after, c.quiet.every = e.config.Limits.SilentAfter, c.lookInterval()
	c.judge(false)
	c.serving.cancels = make(map[uint64]context.CancelFunc)
	return c
}

// Peer is who is on the other side, as its certificate says.
func (c *Conn) Peer() admission.Member { return c.peer }

// PeerAddrs are where the peer says that it takes connections, as ip:port;
// none for a client. The caller must not change them.
func (c *Conn) PeerAddrs() []string { return c.greeting.addrs }

// RemoteAddr is the address that the peer's packets come from.
func (c *Conn) RemoteAddr() net.Addr { return c.quic.RemoteAddr() }

// RTT is the smoothed round trip time of the connection.
func (c *Conn) RTT() time.Duration { return c.quic.ConnectionStats().SmoothedRTT }

// Packets counts what came of the peer, in packets of QUIC: it lives, if they
// come, though it may be too busy to answer.
func (c *Conn) Packets() uint64 { return c.quic.ConnectionStats().PacketsReceived }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ended; nil while it stands.
func (c *Conn) Err() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return context.Cause(c.ctx)
}

// CloseWithReason ends the connection. The peer is told the reason's kind and message.
func (c *Conn) CloseWithReason(reason error) {
	c.said.CompareAndSwap(nil, &reason)
	code, text := closeWith(reason)
	c.quic.CloseWithError(code, text)
}

// spawn starts f as a goroutine of the connection, unless that has ended.
func (c *Conn) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.tasks.Go(f)
	return true
}

// work is spawn for short jobs: it reuses goroutines.
func (c *Conn) work(job func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.tasks.Add(1)
	started := c.endpoint.workers.Do(func() {
		defer c.tasks.Done()
		job()
	})
	if !started {
		c.tasks.Done()
	}
	return started
}

// run works the connection until it ends, and returns when nothing of it is left.
func (c *Conn) run() {
	c.spawn(c.readRequests)
	c.spawn(c.acceptLarge)
	c.readReplies()
	<-c.quic.Context().Done() // readReplies closed it, if nothing else did
	c.end(c.endReason())
	c.tasks.Wait()
}

// endReason is the one given here, or else what QUIC says.
func (c *Conn) endReason() error {
	if said := c.said.Load(); said != nil {
		return &mesh.Error{Kind: mesh.KindOf(*said), Op: "connection", Msg: "closed here", Err: *said}
	}
	return reasonOf(context.Cause(c.quic.Context()), c.peer.ID)
}

// end lets all that waits on the connection know that it is over.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	c.ended = true
	if c.watcher != nil {
		c.watcher.Stop()
	}
	c.mu.Unlock()
	c.cancel(reason)
	c.endpoint.drop(c)
	close(c.done)
	lost := c.lost()
	c.requests.fail(lost)
	c.replies.fail(lost)
	c.calls.failAll(lost)
	c.serving.cancelAll()
}

// lost is what callers get when the connection has ended.
func (c *Conn) lost() error {
	return &mesh.Error{Kind: mesh.Unavailable, Op: "connection", Node: c.peer.ID, Msg: "lost", Err: context.Cause(c.ctx)}
}

// violated ends the connection because the peer broke the protocol.
func (c *Conn) violated(err error) {
	c.endpoint.log.Warn("closing a connection", "peer", c.peer.ID, "reason", err)
	c.CloseWithReason(err)
}
