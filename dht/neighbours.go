package dht

import (
	"math/rand/v2"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// Whom a heartbeat asks for a sign of life: in a mesh of up to wholeMesh
// nodes everyone, in a larger one the nearest, a few others at random, and
// those that owe an answer.
const (
	wholeMesh    = 64
	randomOthers = 8
)

// How many heartbeats in a row a node may leave unanswered. Where packets of it
// still come it lives, and is slow, or the way to it is full of what goes there:
// to close the connection would end all that is under way on it.
const (
	suspectAfter = 3  // when between them nothing came of it at all
	stuckAfter   = 10 // when packets did
)

// comparison is what two nodes that compared their views had.
type comparison struct {
	done         bool // they told each other their views, or the views were equal
	mine, theirs mesh.ID
}

// beat counts a heartbeat. It gives the nodes to ping, and those that have
// been silent for too long: their connections are dropped from the roster
// and to be closed, and a dial of each is started. packets counts what came over
// a connection. A heartbeat that is late, since this node was held up itself,
// says nothing of how long the others have had to answer.
func (r *roster) beat(late bool, packets func(*link.Conn) uint64) (ping []pinged, silent []lost) {
	for _, n := range r.neighbours() {
		if came := packets(n.conn()); came != n.packets {
			n.packets, n.quiet = came, 0
		} else if !late {
			n.quiet++
		}
		if !late {
			n.silent++
		}
		switch {
		case n.silent >= stuckAfter, n.silent >= suspectAfter && n.quiet >= suspectAfter-1:
			silent = append(silent, lost{dial{node: n, id: n.id, addrs: n.addrs, suspect: true}, n.conns, n.silent})
			n.conns, n.suspect, n.pinging = nil, true, false
			n.dial.start()
		case !n.pinging:
			n.pinging = true
			ping = append(ping, pinged{n.id, n.conn()})
		}
	}
	return ping, silent
}

// lost is a node that fell silent, with the connections that it had.
type lost struct {
	dial       dial
	conns      []*link.Conn
	unanswered int // heartbeats
}

// pinged is a node to ask for a sign of life, and over which connection.
type pinged struct {
	id   mesh.NodeID
	conn *link.Conn
}

// fresh gives the connected nodes that were neither pinged nor compared with yet.
func (r *roster) fresh() (ping []pinged) {
	for _, n := range r.nodes {
		if n.connected() && n.left.IsZero() && !n.pinging && n.compared == (comparison{}) {
			n.pinging = true
			ping = append(ping, pinged{n.id, n.conn()})
		}
	}
	return ping
}

// neighbours selects whom to ask for a sign of life.
func (r *roster) neighbours() []*record {
	var connected []*record
	for _, n := range r.nodes {
		if n.connected() && n.left.IsZero() {
			connected = append(connected, n)
		}
	}
	if len(connected) <= wholeMesh {
		return connected
	}
	slices.SortFunc(connected, func(a, b *record) int { return mesh.CompareDistance(r.selfID, a.place, b.place) })
	selected, others := connected[:nearest:nearest], connected[nearest:]
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for i, n := range others {
		if i < randomOthers || n.silent > 0 {
			selected = append(selected, n)
		}
	}
	return selected
}

// answered notes the end of a ping.
func (r *roster) answered(p pinged, alive bool) {
	n := r.nodes[p.id]
	if n == nil || n.conn() != p.conn {
		return
	}
	n.pinging = false
	if alive {
		n.silent = 0
	}
}

// heard notes a sign of life.
func (r *roster) heard(id mesh.NodeID) {
	if n := r.nodes[id]; n != nil {
		n.silent = 0
	}
}

// compare notes the digests of two views and reports whether to tell each
// other the members: when they differ, once for each pair of views.
func (r *roster) compare(id mesh.NodeID, mine, theirs mesh.ID) bool {
	n := r.nodes[id]
	if n == nil || !n.connected() {
		return false
	}
	if mine == theirs {
		n.compared = comparison{done: true, mine: mine, theirs: theirs}
		return false
	}
	if n.compared.mine == mine && n.compared.theirs == theirs {
		return false
	}
	n.compared.mine, n.compared.theirs = mine, theirs
	return true
}

// told notes how telling the members went. A failure is made up for at the next heartbeat.
func (r *roster) told(id mesh.NodeID, succeeded bool) {
	n := r.nodes[id]
	switch {
	case n == nil:
	case succeeded:
		n.compared.done = true
	default:
		n.compared.mine, n.compared.theirs = mesh.ID{}, mesh.ID{}
	}
}

// allConns gives every connection to a node.
func (r *roster) allConns() []*link.Conn {
	var conns []*link.Conn
	for _, n := range r.nodes {
		conns = append(conns, n.conns...)
	}
	return conns
}
