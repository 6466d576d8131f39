package dht

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Member is a node of the mesh that is known: one that lives, this one
// included, or one that is missing and expected back. Clients never are.
type Member struct {
	ID           mesh.NodeID
	Addrs        []string // as host:port; read only
	Live         bool
	Draining     bool      // it is to own nothing
	MissingSince time.Time // when this node, or one that told it, saw it last; zero when it is live
}

// Known lists the members in the order of their ids. A missing one is
// remembered for Config.ForgetAfter, unless it left for good or Forget was
// said of it. In a mesh of more than Config.MaxPeers nodes those that this
// one is not connected to count as missing. The result is the caller's.
func (d *DHT) Known() []Member {
	var known []Member
	d.update(func(time.Time) {
		known = append(d.roster.members(), Member{ID: d.self, Addrs: d.addrs, Live: true, Draining: d.roster.own.state != member})
	})
	slices.SortFunc(known, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return known
}

// members lists the other nodes that live or are missing.
func (r *roster) members() []Member {
	var members []Member
	for _, n := range r.nodes {
		m := Member{ID: n.id, Addrs: n.addrs, Live: n.inView(), Draining: n.standing.state != member}
		if !m.Live {
			m.MissingSince = n.seen
		}
		if m.Live || n.missing() {
			members = append(members, m)
		}
	}
	return members
}

// Drain says that this node is to own nothing, and returns when all that it
// is connected to know, or when ctx ends. It stays connected and live. It
// holds until Undrain, or a new start of the node.
func (d *DHT) Drain(ctx context.Context) { d.announce(ctx, draining) }

// Undrain takes Drain back.
func (d *DHT) Undrain(ctx context.Context) { d.announce(ctx, member) }

// announce changes this node's own standing and tells everyone.
func (d *DHT) announce(ctx context.Context, s state) {
	var self *pb.Member
	d.update(func(now time.Time) {
		if d.roster.own.state != s {
			d.roster.say(s, now)
		}
		self = d.selfAsMember()
	})
	d.spread(ctx, self)
}

// Forget says that a missing node never returns: it is no longer Known, here
// at once and elsewhere as the word spreads. Should it return all the same,
// it is a member again. Conflict when it is live, NotFound when it is not known.
func (d *DHT) Forget(ctx context.Context, id mesh.NodeID) error {
	var err error
	var word *pb.Member
	d.update(func(now time.Time) { word, err = d.roster.declareGone(id, now) })
	if err != nil {
		return err
	}
	d.spread(ctx, word)
	return nil
}

// declareGone notes that a missing node never returns, and gives the word to spread.
func (r *roster) declareGone(id mesh.NodeID, now time.Time) (*pb.Member, error) {
	op := "forget " + id.Short()
	n := r.nodes[id]
	switch {
	case id == r.self || n != nil && n.inView():
		return nil, mesh.Errorf(mesh.Conflict, op, "the node is live: expected one that is missing; drain this one")
	case n == nil || !n.missing():
		return nil, mesh.Errorf(mesh.NotFound, op, "no missing node is known by this id")
	}
	r.hear(id, n.standing.after(gone, now), now)
	word := toMember(id, nil, n.standing)
	word.MissingUnixMs = max(1, n.seen.UnixMilli())
	return word, nil
}

// spread tells all neighbours of one member. Whom it does not reach hears of
// it from others: the digests differ.
func (d *DHT) spread(ctx context.Context, m *pb.Member) {
	news := &pb.Members{Members: []*pb.Member{m}, Partial: true}
	d.tellAll(func(c *link.Conn) {
		if _, err := c.Call(ctx, news); err != nil {
			d.config.Log.Debug("could not tell of a member", "node", c.Peer().ID.Short(), "err", err)
		}
	})
}

// Forgotten reports whether this node heard that the mesh takes it for gone:
// it left for good before, or an operator said so while it was away. What it
// holds may have been deleted since. It is known before Ready if it was told
// by any node that this one reached, and always before others hear that it is
// back. It answers from memory.
func (d *DHT) Forgotten() bool { return d.roster.forgotten.Load() }

// Remembered says that what the word that this node is gone stood for has
// been dealt with: Forgotten is false until it is said again.
func (d *DHT) Remembered() { d.roster.forgotten.Store(false) }
