package node

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
)

// peers carries messages to other nodes over their warm connections, and to
// this node by a function call.
type peers struct {
	self     mesh.NodeID
	endpoint *link.Endpoint
	serve    func(ctx context.Context, from mesh.NodeID, req wire.Message) (wire.Message, error)
}

// Call sends a request to a node and waits for the reply. A node without a
// standing connection is Unavailable: connecting again is the business of dht.
func (p *peers) Call(ctx context.Context, node mesh.NodeID, req wire.Message) (wire.Message, error) {
	if node == p.self {
		return p.serve(ctx, p.self, req)
	}
	conn, err := p.conn(node)
	if err != nil {
		return nil, err
	}
	return conn.Call(ctx, req)
}

// CallUnlessSilent is Call for a request that can go to another node instead:
// a node that is silent is Unavailable at once.
func (p *peers) CallUnlessSilent(ctx context.Context, node mesh.NodeID, req wire.Message) (reply wire.Message, silent bool, err error) {
	if node == p.self {
		reply, err = p.serve(ctx, p.self, req)
		return reply, false, err
	}
	conn, err := p.conn(node)
	if err != nil {
		return nil, false, err
	}
	reply, err = conn.CallUnlessSilent(ctx, req)
	return reply, errors.Is(err, link.ErrSilent), err
}

// CallFresh is CallUnlessSilent, or Call where patient, for a write that must
// not be begun later than within after it was sent.
func (p *peers) CallFresh(ctx context.Context, node mesh.NodeID, req wire.Message, within time.Duration, patient bool) (reply wire.Message, silent bool, err error) {
	if node == p.self {
		reply, err = p.serve(mesh.WithBeginBy(ctx, time.Now().Add(within)), p.self, req)
		return reply, false, err
	}
	conn, err := p.conn(node)
	if err != nil {
		return nil, false, err
	}
	reply, err = conn.CallFresh(ctx, req, link.Freshness{Within: within, Patient: patient})
	return reply, errors.Is(err, link.ErrSilent), err
}

// TellSilent lets a node know which of some others are silent to this one.
func (p *peers) TellSilent(ctx context.Context, node mesh.NodeID, others []mesh.NodeID) {
	conn, err := p.conn(node)
	if err != nil {
		return
	}
	for _, other := range others {
		if c, standing := p.endpoint.Conn(other); standing && c != conn && c.Silent() {
			conn.TellSuspect(ctx, other)
		}
	}
}

// Go is Call for who does not wait: done gets the reply or the error, once, on
// a goroutine that it must not hold up.
func (p *peers) Go(ctx context.Context, node mesh.NodeID, req wire.Message, done func(wire.Message, error)) {
	conn, err := p.conn(node)
	if err != nil {
		done(nil, err)
		return
	}
	conn.Go(ctx, req, done)
}

// Send sends a one-way message to a node.
func (p *peers) Send(ctx context.Context, node mesh.NodeID, msg wire.Message) error {
	if node == p.self {
		_, err := p.serve(ctx, p.self, msg)
		return err
	}
	conn, err := p.conn(node)
	if err != nil {
		return err
	}
	return conn.Send(ctx, msg)
}

func (p *peers) conn(node mesh.NodeID) (*link.Conn, error) {
	conn, ok := p.endpoint.Conn(node)
	if !ok {
		return nil, mesh.Errorf(mesh.Unavailable, "reach node "+node.Short(), "no connection to it stands: %w", mesh.ErrUnsent)
	}
	return conn, nil
}
