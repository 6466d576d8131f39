package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Pauses between attempts to connect, before jitter; and how long one address
// is given before the next is tried beside it (RFC 8305, section 5).
const (
	firstPause  = 50 * time.Millisecond
	longestWait = 2 * time.Second
	stagger     = 250 * time.Millisecond
)

// Connect gives the connection to the node id: the one that stands, or a new
// one, dialled at any of addrs. With an empty id it takes whichever node
// answers first. It tries again, with growing pauses, until the context ends
// or nothing can come of it: it ends at once when all addresses are Denied or
// Invalid, as for ErrSelf, or speak other versions (Conflict). Calls for the
// same id share one attempt, at the addresses of all of them.
func (e *Endpoint) Connect(ctx context.Context, id mesh.NodeID, addrs []string) (*Conn, error) {
	if id == e.ID() {
		return nil, mesh.Errorf(mesh.Invalid, "connect", "%w", ErrSelf)
	}
	if id == "" {
		return e.dialUntil(ctx, id, addrs)
	}
	a, c, err := e.join(id, addrs)
	if err != nil || c != nil {
		return c, err
	}
	defer e.leave(id, a)
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, e.connectError(id, addrs, ctx.Err(), a.last.get())
	}
}

func (e *Endpoint) dialUntil(ctx context.Context, id mesh.NodeID, addrs []string) (*Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	var last lastError
	return e.dialNoting(ctx, id, newAddrList(addrs), &last)
}

// dialNoting dials again and again, with growing pauses.
func (e *Endpoint) dialNoting(ctx context.Context, id mesh.NodeID, addrs *addrList, last *lastError) (*Conn, error) {
	if len(addrs.from(0)) == 0 {
		return nil, mesh.Errorf(mesh.Invalid, "connect", "no address: expected at least one host:port")
	}
	pause := firstPause
	for {
		c, tried, err := e.dialAny(ctx, id, addrs)
		if err == nil {
			return c, nil
		}
		last.set(err)
		if hopeless(err) && len(addrs.from(tried)) == 0 {
			return nil, err
		}
		jittered := pause/2 + rand.N(pause)
		select {
		case <-ctx.Done():
			return nil, e.connectError(id, addrs.from(0), ctx.Err(), err)
		case <-time.After(jittered):
		}
		pause = min(2*pause, longestWait)
	}
}

// hopeless reports whether dialling again will fail again.
func hopeless(err error) bool {
	switch mesh.KindOf(err) {
	case mesh.Denied, mesh.Invalid, mesh.Conflict:
		return true
	}
	return false
}

// connectError says that connecting was given up because of ended; last is
// why the last attempt failed.
func (e *Endpoint) connectError(id mesh.NodeID, addrs []string, ended, last error) error {
	if last == nil {
		last = ended
	}
	kind := mesh.Unavailable
	switch {
	case e.ctx.Err() != nil:
		last = errShutdown
	case errors.Is(ended, context.Canceled):
		kind = mesh.Cancelled
	}
	return &mesh.Error{Kind: kind, Op: "connect", Node: id, Msg: "at " + listAddrs(addrs), Err: last}
}

func listAddrs(addrs []string) string {
	const most = 4
	if len(addrs) > most {
		return strings.Join(addrs[:most], ", ") + ", ..."
	}
	return strings.Join(addrs, ", ")
}

// dialled is what came of dialling one address.
type dialled struct {
	conn *Conn
	err  error
}

// dialAny dials the addresses, one beside the other after a while, and takes
// the first that answers. It also says how many it tried. Its error is one
// that leaves hope, if there is any.
func (e *Endpoint) dialAny(ctx context.Context, id mesh.NodeID, addrs *addrList) (c *Conn, tried int, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.config.Limits.HandshakeTimeout)
	defer cancel()
	results := make(chan dialled, maxAddrs)
	for done := 0; ; {
		waiting := addrs.from(tried)
		if len(waiting) > 0 {
			tried++
			e.begin(ctx, id, waiting[0], results)
		}
		var next <-chan time.Time
		if len(waiting) > 1 {
			next = time.After(stagger)
		}
		select {
		case r := <-results:
			if r.err == nil {
				return r.conn, tried, nil
			}
			if err == nil || hopeless(err) {
				err = r.err
			}
			if done++; done == tried && len(addrs.from(tried)) == 0 {
				return nil, tried, err
			}
		case <-next:
		case <-addrs.grown:
		}
	}
}

// begin dials one address on a goroutine of its own.
func (e *Endpoint) begin(ctx context.Context, id mesh.NodeID, addr string, results chan<- dialled) {
	if !e.spawn(func() {
		c, err := e.dial(ctx, id, addr)
		results <- dialled{c, err}
	}) {
		results <- dialled{err: errShutdown}
	}
}

// dial makes one attempt at one address. On success the connection stands and is worked.
func (e *Endpoint) dial(ctx context.Context, id mesh.NodeID, address string) (*Conn, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "connect", "address %q: %w", address, err)
	}
	s, err := e.socketFor(addr)
	if err != nil {
		return nil, err
	}
	tlsConf := e.identity.guard(e.identity.config(id), address, rolesDialled...)
	qc, err := s.transport.Dial(ctx, addr, tlsConf, e.config.Limits.QUIC())
	if err != nil {
		return nil, e.dialFailed(address, reasonOf(err, id))
	}
	c, err := e.meet(qc, true, rolesDialled)
	var standing *Conn
	if err == nil {
		standing, err = e.offerHello(ctx, c)
	}
	if err != nil {
		c.abort(err)
		if standing != nil {
			return standing, nil
		}
		return nil, e.dialFailed(address, err)
	}
	if !e.spawn(c.run) {
		c.CloseWithReason(errShutdown)
		c.end(errShutdown)
		c.tasks.Wait()
		return nil, e.connectError(id, nil, errShutdown, nil)
	}
	return c, nil
}

// dialFailed logs why an address was refused, which somebody should look at.
func (e *Endpoint) dialFailed(address string, err error) error {
	if mesh.KindOf(err) == mesh.Denied {
		e.log.Warn("refused when dialling", "remote", address, "reason", err)
	}
	return err
}

// socketFor gives the socket that suits a dial to addr, opened if there is none of its family.
func (e *Endpoint) socketFor(addr *net.UDPAddr) (*socket, error) {
	network, wildcard := "udp6", "[::]:0"
	if addr.IP.To4() != nil {
		network, wildcard = "udp4", "0.0.0.0:0"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errShutdown
	}
	var best *socket
	suits := 0
	for _, s := range slices.Concat(e.listening, e.dialing) {
		if r := s.reaches(network, addr.IP); r > suits {
			best, suits = s, r
		}
	}
	if best != nil {
		return best, nil
	}
	s, err := e.openSocket(network, wildcard)
	if err != nil {
		return nil, err
	}
	e.dialing = append(e.dialing, s)
	return s, nil
}
