package sdk

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

const (
	// warmAfter is how old a client is before it connects to more than one
	// node: one that asks a single question needs no more.
	warmAfter = 250 * time.Millisecond
	// refreshEvery is how often the client asks where the nodes are.
	refreshEvery = 10 * time.Second
	// warmTimeout bounds an attempt to connect to one more node.
	warmTimeout = 2 * time.Second
	// maxWanted bounds the nodes that wait to be connected to.
	maxWanted = 8
)

// want asks tend for a connection to a node, or with "" to see whether there
// are enough. It waits for nothing: what does not fit is asked for again.
func (r *remote) want(node mesh.NodeID) {
	select {
	case r.wanted <- node:
	default:
	}
}

// tend keeps a connection to a second node, and makes those to owners, until
// the client is closed.
func (r *remote) tend() {
	timer := time.NewTimer(warmAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
		return
	}
	for {
		r.ensureSpare()
		timer.Reset(refreshEvery)
		select {
		case <-r.ctx.Done():
			return
		case node := <-r.wanted:
			if node != "" {
				r.makeRoomFor(node)
				r.warm(node, r.maxConns)
			}
		case <-timer.C:
			if conn := r.current.Load(); conn != nil && usable(conn) {
				r.learn(r.ctx, conn)
			}
		}
	}
}

// ensureSpare connects to a second node if there is one.
func (r *remote) ensureSpare() {
	const enough = 2
	nodes := r.nodes.all()
	for _, at := range rand.Perm(len(nodes)) {
		if len(r.endpoint.Conns()) >= min(enough, r.maxConns) {
			return
		}
		if r.warm(nodes[at].id, enough) {
			r.spare = nodes[at].id
		}
	}
}

// makeRoomFor gives up the second node, which was chosen at random, for one
// that is wanted, if there is no room: any other is a second node as well. It
// does so once for each.
func (r *remote) makeRoomFor(wanted mesh.NodeID) {
	const enough = 3 // the current node and two others
	if _, standing := r.endpoint.Conn(wanted); standing || len(r.endpoint.Conns()) < max(enough, r.maxConns) {
		return
	}
	spare, standing := r.endpoint.Conn(r.spare)
	r.spare = ""
	if standing && spare != r.current.Load() && len(r.nodes.Find(wanted)) > 0 {
		spare.CloseWithReason(mesh.Errorf(mesh.Cancelled, "connection", "another node is of more use"))
		select {
		case <-spare.Done():
		case <-r.ctx.Done():
		}
	}
}

// warm connects to a node, unless there are as many connections already, and
// reports whether it did.
func (r *remote) warm(node mesh.NodeID, most int) bool {
	addrs := r.nodes.Find(node)
	if _, standing := r.endpoint.Conn(node); standing || len(addrs) == 0 || len(r.endpoint.Conns()) >= most {
		return false
	}
	ctx, cancel := context.WithTimeout(r.ctx, warmTimeout)
	defer cancel()
	conn, err := r.endpoint.Connect(ctx, node, addrs)
	if err == nil {
		r.tending.Go(func() { r.outlive(conn) })
	}
	return err == nil
}

// outlive sees that a connection that ends is replaced.
func (r *remote) outlive(conn *link.Conn) {
	select {
	case <-conn.Done():
		r.want("")
	case <-r.ctx.Done():
	}
}
