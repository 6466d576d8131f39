package sdk

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
)

// elsewhereTimeout bounds the search for another node while the one that the
// client is connected to may answer again.
const elsewhereTimeout = time.Second

// route chooses the connection for a request: to an owner of the key that it
// asks for, if one is at hand, else to the node that the client is connected to.
func (r *remote) route(ctx context.Context, req wire.Message) (*link.Conn, error) {
	owners := r.owners.Of(req)
	conn, hot := r.toReader(req, owners)
	if !hot {
		conn = r.toOwner(owners)
	}
	if conn != nil {
		return conn, nil
	}
	return r.connect(ctx)
}

// toReader gives a connection to one of the nodes that read a hot key, each in
// its turn; nil for the node that the client is connected to. hot is false for all other requests.
func (r *remote) toReader(req wire.Message, owners []mesh.NodeID) (conn *link.Conn, hot bool) {
	nodes := r.hot.Spread(req, owners)
	for i, node := range nodes {
		if node == "" {
			break
		}
		if conn, ok := r.endpoint.Conn(node); ok && usable(conn) {
			return conn, true
		}
		if i == 0 && rand.IntN(wantOneIn) == 0 {
			r.want(node)
		}
	}
	return nil, len(nodes) > 0
}

// wantOneIn is how many gets of a hot key that cannot go where they would
// lead to one attempt to connect there.
const wantOneIn = 32

// toOwner gives a connection to an owner of the key that a request is about.
// Where there is none one is wanted, for the next request.
func (r *remote) toOwner(owners []mesh.NodeID) *link.Conn {
	for _, owner := range owners {
		if conn, ok := r.endpoint.Conn(owner); ok && usable(conn) {
			return conn
		}
	}
	if len(owners) > 0 {
		r.want(owners[0])
	}
	return nil
}

// connect gives the connection that stands, or in its place another that
// does, or a new one. It gives a silent one if there is no other.
func (r *remote) connect(ctx context.Context) (*link.Conn, error) {
	if conn := r.current.Load(); conn != nil && usable(conn) {
		return conn, nil
	}
	select {
	case r.connecting <- struct{}{}:
		defer func() { <-r.connecting }()
	case <-ctx.Done():
		return nil, mesh.AsError("connect", ctx.Err())
	}
	if r.closed.Load() {
		return nil, mesh.Errorf(mesh.Cancelled, "connect", "the client is closed")
	}
	conn := r.standing()
	if conn == nil {
		var err error
		if conn, err = r.dial(ctx); err != nil {
			return nil, err
		}
	}
	if r.current.Swap(conn) != conn {
		r.want("")
	}
	return conn, nil
}

func usable(conn *link.Conn) bool { return conn.Err() == nil && !conn.Silent() }

// standing gives a connection that can be used at once: the current one rather than another.
func (r *remote) standing() *link.Conn {
	if conn := r.current.Load(); conn != nil && usable(conn) {
		return conn
	}
	for _, conn := range r.endpoint.Conns() {
		if usable(conn) {
			return conn
		}
	}
	return nil
}

// dial makes a new connection. While one stands that is silent it looks
// elsewhere, for a moment, and gives that one if it finds nothing.
func (r *remote) dial(ctx context.Context) (*link.Conn, error) {
	addrs := r.addrs()
	silent := r.current.Load()
	if silent != nil && silent.Err() == nil {
		addrs = without(addrs, append(silent.PeerAddrs(), silent.RemoteAddr().String()))
		if len(addrs) == 0 {
			return silent, nil
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, elsewhereTimeout)
		defer cancel()
	}
	conn, err := r.endpoint.Connect(ctx, "", addrs)
	switch {
	case err == nil:
		r.learn(ctx, conn)
		return conn, nil
	case silent != nil && silent.Err() == nil:
		return silent, nil
	}
	return nil, mesh.AsError("connect", err)
}

// addrs are in another order each time: clients spread over the nodes, and
// one that died is not always tried first.
func (r *remote) addrs() []string {
	addrs := slices.Clone(r.configured)
	if !r.pinned {
		addrs = union(addrs, r.nodes.Addrs())
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs
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

func without(all, those []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(those, s) })
}
