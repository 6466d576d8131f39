package dht

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// roster is what a node knows of all others: who is connected, who is
// missing and when to dial it again, who left. It is a state machine: time
// is passed in, and it neither dials nor locks.
type roster struct {
	self        mesh.NodeID
	selfID      mesh.ID
	maxPeers    int           // connected nodes, beyond which only near ones are dialled
	forgetAfter time.Duration // since a node was last seen
	own         standing      // of this node
	forgotten   atomic.Bool   // this node heard that it is gone
	nodes       map[mesh.NodeID]*record
	bootstrap   []*bootstrap
	connections uint64 // ever made

	viewChanged bool // since the view was published
	planChanged bool // since the dials were planned
}

// record is what is known of one node.
type record struct {
	id         mesh.NodeID
	place      mesh.ID // of id
	addrs      []string
	seen       time.Time // when it was last connected, or named by a node
	named      bool      // by a node, since this one started; not only remembered
	vouched    bool      // it proved to be of the mesh, or a node of the mesh said so
	standing   standing
	conns      []*link.Conn // more than one while two dialled each other, or one restarted
	since      time.Time    // of the newest of conns
	connection uint64       // numbers the times that it was connected anew
	suspect    bool         // lost, but in the view until a dial fails
	left       time.Time    // when it said that it leaves; zero when it did not
	silent     int          // heartbeats since it last answered, or asked
	quiet      int          // heartbeats since a packet came of it
	packets    uint64       // that had come over conn by the last heartbeat
	pinging    bool
	compared   comparison
	dial       attempt
}

// bootstrap is an address at which some node of the mesh may answer.
type bootstrap struct {
	addr string
	id   mesh.NodeID // who answered last
	dial attempt
}

// Bounds of what is remembered.
const (
	maxKnown = 2048
	maxAddrs = 8 // of one node
)

// leaveQuiet is for how long a node that said Leaving is not dialled,
// whatever others still say of it.
const leaveQuiet = 10 * time.Second

func newRoster(self mesh.NodeID, cfg Config) *roster {
	r := &roster{
		self: self, selfID: self.ID(), maxPeers: cfg.MaxPeers, forgetAfter: cfg.ForgetAfter,
		nodes: map[mesh.NodeID]*record{},
	}
	for _, addr := range cfg.Bootstrap {
		r.bootstrap = append(r.bootstrap, &bootstrap{addr: addr})
	}
	return r
}

// connected reports whether a connection stands.
func (n *record) connected() bool { return len(n.conns) > 0 }

// conn is the newest connection, or nil.
func (n *record) conn() *link.Conn {
	if len(n.conns) == 0 {
		return nil
	}
	return n.conns[len(n.conns)-1]
}

// inView reports whether the node counts as live.
func (n *record) inView() bool { return n.left.IsZero() && (n.connected() || n.suspect) }

// missing reports whether the node is of the mesh and does not live, but is
// expected back.
func (n *record) missing() bool { return n.vouched && n.standing.state != gone && !n.inView() }

// live lists the nodes for the view.
func (r *roster) live() []livePeer {
	var live []livePeer
	for _, n := range r.nodes {
		if n.inView() {
			// One that is said to be gone, and is not, owns nothing until it has said so.
			peer := Peer{ID: n.id, Addrs: n.addrs, Draining: n.standing.state != member, Gone: n.standing.state == gone}
			live = append(live, livePeer{peer, n.connection})
		}
	}
	return live
}

// absentOwners lists the missing nodes that would own something.
func (r *roster) absentOwners() []mesh.NodeID {
	var absent []mesh.NodeID
	for _, n := range r.nodes {
		if n.missing() && n.standing.state == member {
			absent = append(absent, n.id)
		}
	}
	return absent
}

// up notes a new connection. Beside one that stands it says that the node
// started anew, or gave that one up, and with it what was on its way there.
func (r *roster) up(id mesh.NodeID, conn *link.Conn, addrs []string, now time.Time) {
	if id == r.self {
		return
	}
	n := r.record(id, now)
	r.connections++
	n.connection = r.connections
	n.conns = append(n.conns, conn)
	r.viewChanged = true
	n.vouched = true
	n.since, n.seen, n.addrs = now, now, mergeAddrs(addrs, nil)
	n.suspect, n.left, n.silent, n.quiet, n.pinging, n.compared = false, time.Time{}, 0, 0, false, comparison{}
}

// down notes the end of a connection. A node that fell silent stays in the
// view until one dial has failed; one that closed is out at once.
func (r *roster) down(id mesh.NodeID, conn *link.Conn, silently bool, now time.Time) {
	n := r.nodes[id]
	if n == nil || !slices.Contains(n.conns, conn) {
		return
	}
	n.conns = slices.DeleteFunc(n.conns, func(c *link.Conn) bool { return c == conn })
	n.pinging, n.seen = false, now
	if n.connected() {
		return
	}
	n.suspect = silently
	r.viewChanged, r.planChanged = true, true
	if silently {
		n.dial.retryAt(now)
	} else {
		n.dial.retryAt(now.Add(redialAfter(0)))
	}
}

// leaving notes that a node departs on purpose. Only a new connection makes it live again.
func (r *roster) leaving(id mesh.NodeID, conn *link.Conn, now time.Time) {
	if n := r.nodes[id]; n != nil && slices.Contains(n.conns, conn) {
		n.left = now
		r.viewChanged = true
	}
}

// source is how a node came to be known.
type source uint8

const (
	byMemory source = iota // of this node, from before it started, or of another one that misses it
	bySearch               // by mDNS or Kademlia: whether it is of the mesh shows when it is dialled
	byNode                 // that is connected to it
)

// introduce notes what a node said of another one, or of this one.
func (r *roster) introduce(m Member, word standing, now time.Time) {
	from := byNode
	switch {
	case word.state == gone:
		if said := time.UnixMilli(word.said); m.ID != r.self && m.ID != "" && now.Sub(said) <= r.forgetAfter {
			r.record(m.ID, said) // it must not be brought up again
		}
		r.hear(m.ID, word, now)
		return
	case !m.Live:
		from = byMemory
	}
	r.hear(m.ID, word, now) // before, for it may tell that who was gone is back; after, for it may be new
	r.learn(m.ID, m.Addrs, from, m.MissingSince, now)
	r.hear(m.ID, word, now)
}

// learn notes a node that another one named, or that was found. What a
// connected node said of its own addresses stands.
func (r *roster) learn(id mesh.NodeID, addrs []string, from source, seen, now time.Time) {
	if id == r.self || id == "" || len(addrs) == 0 || now.Sub(seen) > r.forgetAfter {
		return
	}
	n := r.record(id, seen)
	if n.standing.state == gone && !n.inView() {
		return
	}
	if seen.After(n.seen) {
		n.seen = seen
	}
	if from != bySearch && !n.vouched {
		n.vouched, r.viewChanged = true, true
	}
	if !n.left.IsZero() {
		if from == byMemory || n.connected() || now.Sub(n.left) < leaveQuiet {
			return
		}
		n.left = time.Time{}
	}
	n.named = n.named || from != byMemory
	if n.connected() {
		return
	}
	r.planChanged = true
	if from == byMemory {
		n.addrs = mergeAddrs(n.addrs, addrs)
	} else {
		n.addrs = mergeAddrs(addrs, n.addrs)
	}
}

// mergeAddrs puts fresh addresses before old ones, each once, within the bound.
func mergeAddrs(fresh, old []string) []string {
	var merged []string
	for _, addr := range slices.Concat(fresh, old) {
		if len(merged) < maxAddrs && !slices.Contains(merged, addr) {
			merged = append(merged, addr)
		}
	}
	return merged
}

// record gives the record of a node, a new one when it was not known.
func (r *roster) record(id mesh.NodeID, seen time.Time) *record {
	n := r.nodes[id]
	if n == nil {
		n = &record{id: id, place: id.ID(), seen: seen}
		r.nodes[id] = n
		r.makeRoom(n)
	}
	return n
}

// makeRoom keeps the bound on what is known, at the cost of the missing
// node that was seen longest ago.
func (r *roster) makeRoom(keep *record) {
	if len(r.nodes) <= maxKnown {
		return
	}
	var oldest *record
	for _, n := range r.nodes {
		if n != keep && !n.connected() && !n.dial.dialling && (oldest == nil || n.seen.Before(oldest.seen)) {
			oldest = n
		}
	}
	if oldest != nil {
		delete(r.nodes, oldest.id)
		r.viewChanged = true
	}
}

// forget drops the missing nodes that were not seen for long.
func (r *roster) forget(now time.Time) {
	for id, n := range r.nodes {
		if !n.connected() && !n.suspect && !n.dial.dialling && now.Sub(n.seen) > r.forgetAfter {
			delete(r.nodes, id)
			r.viewChanged = true
		}
	}
}
