package cut

import (
	"maps"
	"slices"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// View is the mesh as a node sees it.
type View struct {
	Digest  mesh.ID // equal where two nodes see the same members, and the same of them as owners
	Number  uint64  // of this view of the node, since it was started: views may come back
	Members []mesh.NodeID
	Whole   bool // none of them is missing
}

// Voucher is the word of a node that another one has all that it wrote up to a
// time, if that has compared what both hold since the node became unsure.
type Voucher struct {
	View   mesh.ID // that the node sees
	Life   uint64  // drawn when it was started
	Unsure uint64  // how often since then it was not sure whether the other has all, or saw another mesh
	UpTo   uint64  // lattice.Stamp.Time
}

// Audit is a comparison with a node, to be begun.
type Audit struct {
	Peer  mesh.NodeID
	view  uint64 // View.Number
	round uint64
	of    Voucher
}

// machine is what a node knows of what it has of other nodes' writes. It does no I/O.
type machine struct {
	self    uint64 // lattice.Marked
	view    View
	viewed  bool
	peers   map[mesh.NodeID]*peer
	byMark  map[uint64]*peer
	waiting int    // peers that are not audited
	settles uint64 // for how long, as lattice.Stamp.Time counts, who is no member may have just joined
	round   uint64 // of audits: another one with each node that was started anew
}

// peer is another member.
type peer struct {
	id       mesh.NodeID
	vouched  bool    // at all, in this view
	last     Voucher // the latest
	audited  bool    // since it became unsure
	auditing bool
}

// settleTime is for how long a node that is no member may be one that has just
// joined, by clocks that agree.
const settleTime = time.Minute

func newMachine(self mesh.NodeID, maxSkew time.Duration) *machine {
	// By those of two nodes that may be ahead and behind.
	settles := lattice.Stamp{}.Next(time.UnixMilli((settleTime + maxSkew).Milliseconds())).Time
	return &machine{self: lattice.Marked(string(self)), settles: settles}
}

// See takes up the view. Where it has changed all begins anew: other nodes own
// other keys, or did for a while, and this node was not sent what it owns now.
func (m *machine) See(v View) {
	if m.viewed && v.Number == m.view.Number {
		return
	}
	m.view, m.viewed = v, true
	m.peers, m.byMark, m.waiting = map[mesh.NodeID]*peer{}, map[uint64]*peer{}, 0
	for _, id := range v.Members {
		if mark := lattice.Marked(string(id)); mark != m.self {
			p := &peer{id: id}
			m.peers[id], m.byMark[mark] = p, p
			m.waiting++
		}
	}
}

// Has reports whether this node has all of a past. If not, asking some nodes
// to vouch may help; there may be none.
func (m *machine) Has(need lattice.Past) (yes bool, ask []mesh.NodeID) {
	if !m.view.Whole {
		return false, nil
	}
	yes = m.waiting == 0
	if !yes {
		for id, p := range m.peers {
			if !p.vouched {
				ask = append(ask, id)
			}
		}
	}
	for mark, time := range need.All() {
		p := m.byMark[mark]
		switch {
		case mark == m.self:
		case p == nil:
			yes = yes && m.isPast(time)
		case !p.audited || p.last.UpTo < time:
			yes = false
			if p.vouched && p.last.UpTo < time {
				ask = append(ask, p.id)
			}
		}
	}
	slices.Sort(ask)
	return yes, ask
}

// Compared reports whether no audit is due, so that a word may be enough.
func (m *machine) Compared() bool { return m.waiting == 0 }

// Held is a past of which this node has all, as far as it is known without
// asking: of other nodes' writes, and only of those.
func (m *machine) Held() (held lattice.Past) {
	if !m.view.Whole || m.waiting > 0 {
		return held
	}
	for id, p := range m.peers {
		held = held.Join(lattice.PastOf(lattice.Stamp{Time: p.last.UpTo, Node: string(id)}))
	}
	return held
}

// isPast reports whether all has been compared so long after a time that what
// a node wrote then that is no member any more is here, if it is anywhere.
func (m *machine) isPast(time uint64) bool {
	for _, p := range m.peers {
		if p.last.UpTo < time+m.settles {
			return false
		}
	}
	return true
}

// Vouched takes the word of a node.
func (m *machine) Vouched(id mesh.NodeID, v Voucher) {
	p := m.peers[id]
	switch {
	case p == nil || !m.view.Whole:
		return
	case v.View != m.view.Digest: // for what it takes this node for an owner of
		m.doubt(p)
		p.vouched = false
		return
	case p.vouched && p.last.Life != v.Life:
		m.round++
		for _, other := range m.peers { // they may have what it wrote and has lost since
			m.doubt(other)
		}
	case p.vouched && p.last.Unsure != v.Unsure:
		m.doubt(p)
	case p.vouched && p.last.UpTo > v.UpTo:
		return // it was overtaken
	}
	p.vouched, p.last = true, v
}

func (m *machine) doubt(p *peer) {
	if p.audited {
		m.waiting++
	}
	p.audited = false
}

// Audits gives those to begin, and takes them as begun.
func (m *machine) Audits() (due []Audit) {
	for _, id := range slices.Sorted(maps.Keys(m.peers)) {
		if p := m.peers[id]; p.vouched && !p.audited && !p.auditing {
			p.auditing = true
			due = append(due, Audit{id, m.view.Number, m.round, p.last})
		}
	}
	return due
}

// Audited tells that one has ended. With ok this node holds all that the other
// held when it began.
func (m *machine) Audited(a Audit, ok bool) {
	p := m.peers[a.Peer]
	if p == nil || a.view != m.view.Number {
		return
	}
	p.auditing = false
	if ok && !p.audited && p.vouched && a.round == m.round && p.last.Life == a.of.Life && p.last.Unsure == a.of.Unsure {
		p.audited = true
		m.waiting--
	}
}
