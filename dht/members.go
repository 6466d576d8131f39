package dht

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of telling members.
const (
	maxMembers   = 1024 // in one message; of a larger view some, drawn at random
	maxExchanges = 4    // at once
)

// exchange tells a node this node's view and learns from its. When enough
// are under way, the next heartbeat makes up for it.
func (d *DHT) exchange(ctx context.Context, id mesh.NodeID, conn *link.Conn) {
	var members *pb.Members
	select {
	case d.exchanges <- struct{}{}:
		reply, err := conn.Call(ctx, d.members())
		<-d.exchanges
		if err == nil {
			members, _ = reply.(*pb.Members)
		}
	default:
	}
	d.update(func(now time.Time) {
		d.learn(members, now)
		d.roster.told(id, members != nil)
	})
}

// members is this node's view as a message.
func (d *DHT) members() *pb.Members {
	peers := d.View()
	m := &pb.Members{}
	first := rand.IntN(len(peers))
	for i := range min(len(peers), maxMembers) {
		p := peers[(first+i)%len(peers)]
		m.Members = append(m.Members, &pb.Member{Node: []byte(p.ID), Addrs: p.Addrs})
	}
	return m
}

// learn notes the nodes that another one named. They are in the view only
// once a connection to them stands.
func (d *DHT) learn(m *pb.Members, now time.Time) {
	members := m.GetMembers()
	for _, member := range members[:min(len(members), maxMembers)] {
		if len(member.Node) <= maxNodeID {
			d.roster.learn(mesh.NodeID(member.Node), dialable(member.Addrs), true, now, now)
		}
	}
}

// maxNodeID is more bytes than a peer id of any kind of key has.
const maxNodeID = 64

// HandleMembers learns from a node's view and answers with this node's. Only nodes may ask.
func (d *DHT) HandleMembers(from *link.Conn, m *pb.Members) (*pb.Members, error) {
	if err := fromNode(from, "members"); err != nil {
		return nil, err
	}
	d.update(func(now time.Time) {
		d.learn(m, now)
		d.roster.heard(from.Peer().ID)
		d.roster.told(from.Peer().ID, true)
	})
	return d.members(), nil
}

// HandleLeaving takes a node out of the view that departs on purpose. It is
// not dialled again until it returns.
func (d *DHT) HandleLeaving(from *link.Conn, _ *pb.Leaving) error {
	if err := fromNode(from, "leaving"); err != nil {
		return err
	}
	d.update(func(now time.Time) { d.roster.leaving(from.Peer().ID, from, now) })
	return nil
}

func fromNode(from *link.Conn, op string) error {
	if role := from.Peer().Role; role != admission.Node {
		return mesh.Errorf(mesh.Denied, op, "the sender is a %s: expected a node", role)
	}
	return nil
}
