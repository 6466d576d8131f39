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
	maxMembers   = 1024 // that live, in one message; of a larger view some, drawn at random
	maxAbsent    = 1024 // that are missing or gone, in one message
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

// members is whom this node knows, as a message.
func (d *DHT) members() (m *pb.Members) {
	d.update(func(time.Time) {
		live, absent := d.roster.acquaintances()
		live = append(live, d.selfAsMember())
		m = &pb.Members{Members: append(some(live, maxMembers), some(absent, maxAbsent)...)}
	})
	return m
}

// selfAsMember is what this node says of itself. The lock is held.
func (d *DHT) selfAsMember() *pb.Member { return toMember(d.self, d.addrs, d.roster.own) }

// some gives up to n members, drawn at random where there are more.
func some(members []*pb.Member, n int) []*pb.Member {
	if len(members) <= n {
		return members
	}
	rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return members[:n]
}

// acquaintances lists the other nodes that live, and those that are missing or gone.
func (r *roster) acquaintances() (live, absent []*pb.Member) {
	for _, n := range r.nodes {
		m := toMember(n.id, n.addrs, n.standing)
		switch {
		case n.inView():
			live = append(live, m)
		case n.missing(), n.standing.state == gone:
			m.MissingUnixMs = max(1, n.seen.UnixMilli())
			absent = append(absent, m)
		}
	}
	return live, absent
}

func toMember(id mesh.NodeID, addrs []string, s standing) *pb.Member {
	return &pb.Member{Node: []byte(id), Addrs: addrs, Draining: s.state == draining, Gone: s.state == gone, SaidUnixMs: s.said}
}

// learn notes the nodes that another one named. They are in the view only
// once a connection to them stands.
func (d *DHT) learn(m *pb.Members, now time.Time) {
	members := m.GetMembers()
	for _, m := range members[:min(len(members), maxMembers+maxAbsent)] {
		if len(m.Node) > maxNodeID {
			continue
		}
		member := Member{ID: mesh.NodeID(m.Node), Addrs: dialable(m.Addrs), Live: m.MissingUnixMs == 0, MissingSince: now}
		if since := time.UnixMilli(m.MissingUnixMs); !member.Live && since.Before(now) {
			member.MissingSince = since
		}
		d.roster.introduce(member, standingOf(m.Draining, m.Gone, m.SaidUnixMs), now)
	}
}

// maxNodeID is more bytes than a peer id of any kind of key has.
const maxNodeID = 64

// HandleMembers learns whom a node knows and, unless it is told news only,
// answers with whom this node knows. Only nodes may ask.
func (d *DHT) HandleMembers(from *link.Conn, m *pb.Members) (*pb.Members, error) {
	if err := fromNode(from, "members"); err != nil {
		return nil, err
	}
	d.update(func(now time.Time) {
		d.learn(m, now)
		d.roster.heard(from.Peer().ID)
		if !m.Partial {
			d.roster.told(from.Peer().ID, true)
		}
	})
	if m.Partial {
		return &pb.Members{Partial: true}, nil
	}
	return d.members(), nil
}

// HandleLeaving takes a node out of the view that departs on purpose. It is
// not dialled again until it returns; one that left for good is forgotten.
func (d *DHT) HandleLeaving(from *link.Conn, m *pb.Leaving) error {
	if err := fromNode(from, "leaving"); err != nil {
		return err
	}
	d.update(func(now time.Time) {
		d.roster.leaving(from.Peer().ID, from, now)
		if m.GoneUnixMs != 0 {
			d.roster.hear(from.Peer().ID, standing{gone, m.GoneUnixMs}, now)
		}
	})
	return nil
}

func fromNode(from *link.Conn, op string) error {
	if role := from.Peer().Role; role != admission.Node {
		return mesh.Errorf(mesh.Denied, op, "the sender is a %s: expected a node", role)
	}
	return nil
}
