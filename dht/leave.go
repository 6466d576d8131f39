package dht

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Leave tells all neighbours that this node departs on purpose, so that they
// do not wait for it, and stops dialling. It returns when they know, or when
// ctx ends. Close the endpoint soon after. The node stays Known, as one that
// is missing: it is expected back.
func (d *DHT) Leave(ctx context.Context) { d.leave(ctx, &pb.Leaving{}) }

// LeaveForGood is Leave of a node that does not return: everyone forgets it
// at once, and who is cut off now does when it hears of it.
func (d *DHT) LeaveForGood(ctx context.Context) {
	m := &pb.Leaving{}
	d.update(func(now time.Time) {
		d.roster.say(gone, now)
		m.GoneUnixMs = d.roster.own.said
	})
	d.leave(ctx, m)
}

func (d *DHT) leave(ctx context.Context, m *pb.Leaving) {
	d.update(func(time.Time) { d.left = true })
	d.tellAll(func(c *link.Conn) {
		err := c.Send(ctx, m)
		if err == nil {
			_, err = c.Call(ctx, &pb.Ping{}) // behind the message, which is not answered: it arrived
		}
		if err != nil {
			d.config.Log.Debug("could not take leave", "node", c.Peer().ID.Short(), "err", err)
		}
	})
}

// tellAll calls tell for each connection at once, and waits.
func (d *DHT) tellAll(tell func(*link.Conn)) {
	var conns []*link.Conn
	d.update(func(time.Time) { conns = d.roster.allConns() })
	var telling sync.WaitGroup
	for _, c := range conns {
		telling.Go(func() { tell(c) })
	}
	telling.Wait()
}
