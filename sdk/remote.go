package sdk

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
)

// remote is the Transport of a client that dials. It has a connection to one
// node, any of them, and keeps a few others warm: one to go to when that node
// falls silent, and some to owners of the keys that are asked for.
type remote struct {
	endpoint   *link.Endpoint
	configured []string
	pinned     bool // to the configured addresses
	maxConns   int

	nodes      directory
	owners     ownerBook
	hot        hotBook
	current    atomic.Pointer[link.Conn]
	connecting chan struct{} // held by who replaces the connection
	wanted     chan mesh.NodeID
	spare      mesh.NodeID // the second node; for tend
	offer      atomic.Pointer[Invoker]

	closed  atomic.Bool
	ctx     context.Context // of tend
	stop    context.CancelFunc
	tending sync.WaitGroup
}

func newRemote(addrs []string, c Config) *remote {
	r := &remote{
		configured: addrs, pinned: c.Pinned, maxConns: c.MaxConns,
		connecting: make(chan struct{}, 1), wanted: make(chan mesh.NodeID, maxWanted),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Do sends req to a node, and again to another one if the connection breaks
// or the node falls silent and req may be repeated.
func (r *remote) Do(ctx context.Context, req wire.Message) (wire.Message, error) {
	repeatable, prompt, within := makeRepeatable(req), isPrompt(req), freshFor(req)
	began := time.Now()
	sent := req
	var silent *link.Conn // that was found so
	for {
		conn, err := r.route(ctx, req)
		if err != nil {
			return nil, err
		}
		if silent != nil && silent != conn {
			conn.TellSuspect(ctx, silent.Peer().ID)
		}
		reply, err := ask(ctx, conn, sent, prompt, within)
		if err == nil {
			r.owners.Heed(req, reply)
			r.hot.Heed(req, reply)
			return reply, nil
		}
		switch late := errors.Is(err, mesh.ErrLate); {
		case !repeatable, !late && !broke(ctx, conn, err), ctx.Err() != nil:
			return reply, err
		case late:
			within = min(2*within, maxFresh)
		case errors.Is(err, link.ErrSilent):
			silent = conn
		}
		sent = asRetry(req, time.Since(began))
	}
}

// ask sends a request over a connection. One that a node answers at once is
// given up when the node is silent, unless it was silent before: then
// there is no other to go to. A write, for which within is not 0, must not be
// begun any more when another node is asked.
func ask(ctx context.Context, conn *link.Conn, req wire.Message, prompt bool, within time.Duration) (wire.Message, error) {
	patient := !prompt || conn.Silent()
	switch {
	case within > 0:
		return conn.CallFresh(ctx, req, link.Freshness{Within: within, Patient: patient})
	case patient:
		return conn.Call(ctx, req)
	}
	return conn.CallUnlessSilent(ctx, req)
}

// leaving is how long after its last answers a node that stops may keep the
// connection.
const leaving = 250 * time.Millisecond

// broke reports whether a request failed because its connection ended or its
// node is silent, or because the node is about to stop: one that stops
// answers first that it is Unavailable.
func broke(ctx context.Context, conn *link.Conn, err error) bool {
	if errors.Is(err, link.ErrSilent) {
		return ctx.Err() == nil
	}
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

func (r *remote) close() error {
	if r.closed.Swap(true) {
		return nil
	}
	r.stop()
	err := r.endpoint.Close()
	r.tending.Wait()
	return err
}
