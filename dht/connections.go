package dht

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
)

// Bounds of dialling.
const (
	maxDials    = 16 // at once
	dialTimeout = 3 * time.Second
)

// ConnUp takes a node into the view. Clients never are. It is part of link.Observer.
func (d *DHT) ConnUp(c *link.Conn) {
	peer := c.Peer()
	if peer.Role != admission.Node {
		return
	}
	// It dials from the port that it listens on, so its packets come from where it can be reached.
	addrs := dialable(append(slices.Clone(c.PeerAddrs()), c.RemoteAddr().String()))
	d.update(func(now time.Time) { d.roster.up(peer.ID, c, addrs, now) })
	d.greet.raise()
}

// ConnDown takes a node out of the view: at once if it closed the
// connection or started anew, after a dial that fails if it fell silent. It
// is part of link.Observer.
func (d *DHT) ConnDown(c *link.Conn, reason error) {
	silently := errors.Is(reason, link.ErrSilent)
	d.update(func(now time.Time) { d.roster.down(c.Peer().ID, c, silently, now) })
}

// dialLoop dials what is missing, for ever.
func (d *DHT) dialLoop(ctx context.Context) {
	places := make(chan struct{}, maxDials)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.redial:
		}
		dials, wait := d.dueDials(cap(places) - len(places))
		for _, x := range dials {
			places <- struct{}{}
			d.tasks.Go(func() {
				d.dial(ctx, x)
				<-places
				d.redial.raise()
			})
		}
		timer.Reset(wait)
	}
}

// forgetEvery is how often it is looked, at least, who was missing for too long.
const forgetEvery = time.Minute

// dueDials takes the dials to make now, and says how long there will be none.
func (d *DHT) dueDials(limit int) (dials []dial, wait time.Duration) {
	wait = forgetEvery
	d.update(func(now time.Time) {
		if d.left {
			return
		}
		d.roster.forget(now)
		dials = d.roster.due(now, limit)
		if next, ok := d.roster.nextDue(now); ok && len(dials) < limit {
			wait = min(wait, next.Sub(now))
		}
	})
	return dials, wait
}

// dial makes one attempt to connect, and notes how it went.
func (d *DHT) dial(ctx context.Context, x dial) {
	timeout := dialTimeout
	if x.suspect {
		timeout = min(timeout, d.config.Heartbeat)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var answered mesh.NodeID
	conn, err := d.endpoint.Connect(ctx, x.id, x.addrs)
	switch {
	case errors.Is(err, link.ErrSelf):
		answered = d.self
	case err == nil && conn.Peer().Role == admission.Node:
		answered = conn.Peer().ID
	}
	d.config.Log.Debug("dialled", "node", x.id.Short(), "addrs", x.addrs, "err", err)
	refused := err != nil && mesh.KindOf(err) == mesh.Denied
	d.update(func(now time.Time) { d.roster.dialled(x, answered, refused, now) })
}
