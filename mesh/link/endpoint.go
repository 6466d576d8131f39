package link

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/internal/workers"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// Endpoint is a peer's presence on the network: its sockets, its identity,
// and its connections.
type Endpoint struct {
	config   Config
	identity *identity
	member   admission.Member
	log      *slog.Logger
	versions versions
	instance uint64

	arrivals chan struct{} // held by each connection that a peer dialled, until its Hello

	listening []*socket // in the order of Config.Listen
	addrs     []string

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	sent    sentBytes
	workers *workers.Pool
	waiters sync.Pool // per endpoint: their channels must not cross bubbles of virtual time

	mu      sync.Mutex
	closed  bool
	dialing []*socket // opened for dialling only
	peers   peerTable
	shut    sync.Once
	shutErr error
}

// Listen opens the sockets and starts to take connections. The credential
// must be in force.
func Listen(c Config) (*Endpoint, error) { return listen(c, spoken) }

func listen(c Config, v versions) (*Endpoint, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	member, err := c.Credential.Member(time.Now())
	if err != nil {
		return nil, err
	}
	id, err := newIdentity(c)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		config: c, identity: id, member: member, log: c.Log, versions: v,
		instance: rand.Uint64(), peers: newPeerTable(member.ID),
		waiters:  sync.Pool{New: newWaiter},
		arrivals: make(chan struct{}, maxArrivals),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.workers = workers.New(e.spawn, e.ctx.Done())
	for _, address := range c.Listen {
		if err := e.listenOn(address); err != nil {
			e.Close()
			return nil, err
		}
	}
	e.addrs = e.advertised()
	for _, s := range e.listening {
		e.spawn(func() { s.accept(e) })
	}
	e.spawn(e.watch)
	return e, nil
}

func (e *Endpoint) listenOn(address string) error {
	network, err := networkOf(address)
	if err != nil {
		return err
	}
	s, err := e.openSocket(network, address)
	if err != nil {
		return err
	}
	e.listening = append(e.listening, s)
	return s.listen(e)
}

func (e *Endpoint) advertised() []string {
	if len(e.config.Advertise) > 0 || len(e.listening) == 0 {
		return slices.Clone(e.config.Advertise)
	}
	var addrs []string
	for _, s := range e.listening {
		addrs = append(addrs, s.addrs()...)
	}
	return addrs[:min(len(addrs), maxHelloAddrs)]
}

// ID is who this endpoint is.
func (e *Endpoint) ID() mesh.NodeID { return e.member.ID }

// Member is what its credential makes of it.
func (e *Endpoint) Member() admission.Member { return e.member }

// Addrs are the addresses that peers are told, as ip:port; none for a client.
// The caller must not change them.
func (e *Endpoint) Addrs() []string { return e.addrs }

// Conn gives the standing connection to id.
func (e *Endpoint) Conn(id mesh.NodeID) (*Conn, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.peers.standing[id]
	return c, c != nil
}

// Conns gives all standing connections, in no order.
func (e *Endpoint) Conns() []*Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	conns := make([]*Conn, 0, len(e.peers.standing))
	for _, c := range e.peers.standing {
		conns = append(conns, c)
	}
	return conns
}

// spawn starts f as a goroutine of the endpoint, unless that is closed.
func (e *Endpoint) spawn(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.tasks.Go(f)
	return true
}

// Close ends every connection with a reason that the peers see, closes the
// sockets, and waits for all that the endpoint started; handlers under way
// have their contexts cancelled. A libp2p host on the shared sockets must be
// closed before.
func (e *Endpoint) Close() error {
	e.shut.Do(func() {
		e.mu.Lock()
		e.closed = true
		sockets := slices.Concat(e.listening, e.dialing)
		e.mu.Unlock()
		e.cancel()
		e.closeConns()
		var errs []error
		for _, s := range sockets {
			errs = append(errs, s.close())
		}
		e.tasks.Wait()
		e.shutErr = errors.Join(errs...)
	})
	return e.shutErr
}

func (e *Endpoint) closeConns() {
	var closing sync.WaitGroup
	for _, c := range e.Conns() {
		closing.Go(func() { c.CloseWithReason(errShutdown) })
	}
	closing.Wait()
}

// watch looks at every connection from time to time: is the peer still a
// member, and does it read?
func (e *Endpoint) watch() {
	ticker := time.NewTicker(e.config.Limits.CheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case now := <-ticker.C:
			for _, c := range e.Conns() {
				if err := e.check(c, now); err != nil {
					c.violated(err)
				}
			}
		}
	}
}

func (e *Endpoint) check(c *Conn, now time.Time) error {
	if now.After(c.peer.NotAfter) {
		return mesh.Errorf(mesh.Denied, "check membership", "the certificate expired at %s", c.peer.NotAfter.UTC().Format(time.RFC3339))
	}
	if e.config.Revoked != nil && e.config.Revoked(c.peer) {
		return mesh.Errorf(mesh.Denied, "check membership", "the certificate was revoked")
	}
	for _, w := range []*frameWriter{c.requests, c.replies} {
		if err := w.stuck(now, e.config.Limits.WriteTimeout); err != nil {
			return err
		}
	}
	return nil
}
