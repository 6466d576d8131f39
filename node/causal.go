package node

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/cut"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/session"
)

// causal is state as it is read by runs whose reads are ordered by cause.
type causal struct{ rooms *rooms }

var _ session.Causal = causal{}

// View implements session.Causal.
func (c causal) View() uint64 { return c.rooms.dht.Sight().Number }

// IsOwn implements session.Causal.
func (c causal) IsOwn(made lattice.Past) bool {
	return made.Len() == 1 && made.Of(string(c.rooms.self)) > 0
}

// Read implements session.Causal. Where this node owns the key, and has all
// that is needed, it reads its own copy; else it asks so many owners that one
// has what was acknowledged. A cache is of no use: what the node that makes a
// write has told it may not be acknowledged yet.
func (c causal) Read(ctx context.Context, key mesh.Key, need lattice.Past, together bool) (session.CausalRead, error) {
	read, at, err := c.readOnce(ctx, key, need, together)
	if !together || err != nil || at.Time == 0 {
		return read, err
	}
	read, at, err = c.confirmed(ctx, key, need) // this node's copy may only be behind
	for err == nil && at.Time > 0 {
		if err = c.rooms.txns.Resolve(ctx, at); err == nil {
			read, at, err = c.confirmed(ctx, key, need) // perhaps another transaction has written it since
		}
	}
	return read, err
}

// readOnce reads a key, and gives the stamp of the transaction that wrote the
// version, if that may not have made all of its writes yet.
func (c causal) readOnce(ctx context.Context, key mesh.Key, need lattice.Past, together bool) (session.CausalRead, lattice.Stamp, error) {
	r := c.rooms
	view := c.View()
	part := key.Partition()
	owns, has := r.dht.OwnsPartition(part, r.cfg.Replicas), need.IsZero()
	if owns && !has {
		has = r.cut.Has(ctx, need)
	}
	if owns && has {
		var held lattice.Past
		if together {
			held = r.cut.Held()
		}
		read, err := r.replica.Read(ctx, key)
		same := c.View() == view // else what was read may be of a key that others own
		if err != nil || same && r.replica.IsFirm(ctx, key, part, &read) {
			if read.Here && !need.Covers(read.Needs) {
				r.cut.Prepare(read.Needs) // who goes on to read needs it too: nodes are asked by then
			}
			shown := c.shown(&read, true, view)
			if shown.AsOf = need; read.Here {
				shown.AsOf = need.Join(held)
			}
			return shown, unsealed(&read), err
		}
	}
	return c.confirmed(ctx, key, need)
}

func (c causal) confirmed(ctx context.Context, key mesh.Key, need lattice.Past) (session.CausalRead, lattice.Stamp, error) {
	read, err := c.rooms.replica.ReadConfirmed(ctx, key)
	shown := c.shown(&read, false, c.View())
	shown.AsOf = need
	return shown, unsealed(&read), err
}

// unsealed is the stamp of a transaction that may not have made all of its
// writes, of which this is one; else zero.
func unsealed(read *replica.Reading) lattice.Stamp {
	at, sealed := read.Transaction()
	if sealed {
		return lattice.Stamp{}
	}
	return at
}

// shown is what was read.
func (c causal) shown(read *replica.Reading, owns bool, view uint64) session.CausalRead {
	return session.CausalRead{
		Value: read.Value, Found: read.Found, Here: read.Here, Holds: owns && read.Here, View: view, Needs: read.Needs, Made: read.Made,
	}
}

// sight is the mesh as this node sees it, for its cut.
func (r *rooms) sight() cut.View {
	s := r.dht.Sight()
	if known := r.seen.Load(); known != nil && known.Number == s.Number {
		return *known
	}
	v := &cut.View{Digest: s.Digest, Number: s.Number, Whole: s.Whole}
	for _, peer := range s.Live {
		v.Members = append(v.Members, peer.ID)
		v.Whole = v.Whole && !peer.Gone
	}
	r.seen.Store(v)
	return *v
}
