package sdk

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// remote is the Transport of a client that dials: one connection at a time,
// to any node, replaced when it breaks.
type remote struct {
	endpoint   *link.Endpoint
	configured []string
	pinned     bool                     // to the configured addresses
	learnt     atomic.Pointer[[]string] // addresses of other nodes, as the last one told
	current    atomic.Pointer[link.Conn]
	connecting chan struct{} // held by who replaces the connection
	offer      atomic.Pointer[Invoker]
	closed     atomic.Bool
}

// Do sends req over the connection, and again over another one if it breaks
// and req may be repeated.
func (r *remote) Do(ctx context.Context, req wire.Message) (wire.Message, error) {
	repeatable := makeRepeatable(req)
	began := time.Now()
	for attempt := 0; ; attempt++ {
		conn, err := r.connect(ctx)
		if err != nil {
			return nil, err
		}
		sent := req
		if attempt > 0 {
			sent = asRetry(req, time.Since(began))
		}
		reply, err := conn.Call(ctx, sent)
		if err == nil || !repeatable || !broke(ctx, conn, err) {
			return reply, err
		}
	}
}

// leaving is how long after its last answers a node that stops may keep the
// connection.
const leaving = 250 * time.Millisecond

// broke reports whether a request failed because its connection ended, or
// because its node is about to: one that stops answers first that it is
// Unavailable.
func broke(ctx context.Context, conn *link.Conn, err error) bool {
	if conn.Err() == nil && errors.Is(err, mesh.Unavailable) {
		timer := time.NewTimer(leaving)
		defer timer.Stop()
		select {
		case <-conn.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return conn.Err() != nil && ctx.Err() == nil
}

// connect gives the connection that stands, or a new one.
func (r *remote) connect(ctx context.Context) (*link.Conn, error) {
	if conn := r.standing(); conn != nil {
		return conn, nil
	}
	select {
	case r.connecting <- struct{}{}:
		defer func() { <-r.connecting }()
	case <-ctx.Done():
		return nil, mesh.AsError("connect", ctx.Err())
	}
	if conn := r.standing(); conn != nil {
		return conn, nil
	}
	if r.closed.Load() {
		return nil, mesh.Errorf(mesh.Cancelled, "connect", "the client is closed")
	}
	conn, err := r.endpoint.Connect(ctx, "", r.addrs())
	if err != nil {
		return nil, mesh.AsError("connect", err)
	}
	if !r.pinned {
		r.learn(ctx, conn)
	}
	r.current.Store(conn)
	return conn, nil
}

func (r *remote) standing() *link.Conn {
	if conn := r.current.Load(); conn != nil && conn.Err() == nil {
		return conn
	}
	return nil
}

// addrs are in another order each time: clients spread over the nodes, and
// one that died is not always tried first.
func (r *remote) addrs() []string {
	addrs := slices.Clone(r.configured)
	if learnt := r.learnt.Load(); learnt != nil {
		addrs = union(addrs, *learnt)
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs
}

const (
	learnTimeout = time.Second
	maxLearnt    = 16 // addresses
)

// learn asks a node where the others are. That it does not say is no error.
func (r *remote) learn(ctx context.Context, conn *link.Conn) {
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	reply, err := conn.Call(ctx, &pb.Status{})
	status, ok := reply.(*pb.StatusReply)
	if err != nil || !ok {
		return
	}
	addrs := union(conn.PeerAddrs())
	for _, peer := range status.Peers {
		if peer.Live {
			addrs = union(addrs, peer.Addrs)
		}
	}
	addrs = addrs[:min(len(addrs), maxLearnt)]
	r.learnt.Store(&addrs)
}

// union keeps the order of the first occurrences.
func union(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, s := range list {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

func (r *remote) close() error {
	if r.closed.Swap(true) {
		return nil
	}
	return r.endpoint.Close()
}
