package dht

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// heartbeatLoop asks neighbours for a sign of life: all of them at every
// heartbeat, new ones at once. Heartbeats are never closer together than they
// should be: they count how long a neighbour has not answered.
func (d *DHT) heartbeatLoop(ctx context.Context) {
	timer := time.NewTimer(d.config.Heartbeat)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			now := time.Now()
			d.beat(ctx, now.Sub(last) > d.config.Heartbeat*3/2)
			last = now
			timer.Reset(d.config.Heartbeat)
		case <-d.greet:
			d.pingAll(ctx, func() []pinged { return d.roster.fresh() })
		}
	}
}

func (d *DHT) beat(ctx context.Context, late bool) {
	var silent []lost
	d.pingAll(ctx, func() (ping []pinged) {
		ping, silent = d.roster.beat(late, (*link.Conn).Packets)
		return ping
	})
	for _, l := range silent {
		d.config.Log.Warn("a node fell silent", "node", l.dial.id.Short())
		d.tasks.Go(func() { d.replace(ctx, l) })
	}
}

// replace closes the connections to a silent node and dials it once more.
func (d *DHT) replace(ctx context.Context, l lost) {
	for _, c := range l.conns {
		c.CloseWithReason(mesh.Errorf(mesh.Unavailable, "heartbeat", "no answer to %d heartbeats", l.unanswered))
		select {
		case <-c.Done(): // only now is Connect sure not to give it
		case <-ctx.Done():
		}
	}
	d.dial(ctx, l.dial)
}

func (d *DHT) pingAll(ctx context.Context, choose func() []pinged) {
	var chosen []pinged
	d.update(func(time.Time) {
		if !d.left {
			chosen = choose()
		}
	})
	for _, p := range chosen {
		d.tasks.Go(func() { d.ping(ctx, p) })
	}
}

// ping asks one node for a sign of life, and for what it sees.
func (d *DHT) ping(ctx context.Context, p pinged) {
	ctx, cancel := context.WithTimeout(ctx, stuckAfter*d.config.Heartbeat)
	defer cancel()
	mine := d.current.Load().digest
	reply, err := p.conn.Call(ctx, &pb.Ping{ViewDigest: mine[:]})
	pong, ok := reply.(*pb.Pong)
	differ := false
	d.update(func(time.Time) {
		d.roster.answered(p, err == nil || mesh.KindOf(err) == mesh.Overloaded)
		if err == nil && ok {
			differ = d.roster.compare(p.id, mine, digestOf(pong.ViewDigest))
		}
	})
	if differ {
		d.exchange(ctx, p.id, p.conn)
	}
}

// digestOf reads a digest. One of another length differs from all.
func digestOf(raw []byte) (digest mesh.ID) {
	if len(raw) == len(digest) {
		copy(digest[:], raw)
	}
	return digest
}

// HandlePing answers a sign of life with the digest of this node's view.
func (d *DHT) HandlePing(from *link.Conn, _ *pb.Ping) (*pb.Pong, error) {
	d.update(func(time.Time) { d.roster.heard(from.Peer().ID) })
	digest := d.current.Load().digest
	return &pb.Pong{ViewDigest: digest[:]}, nil
}
