package link

import (
	"github.com/virga-mesh/virga/mesh"
)

// peerTable decides which connection to a peer stands. Its owner holds the
// lock. docs/wire.md, "One connection", tells the rule.
type peerTable struct {
	self     mesh.NodeID
	hellos   uint64                        // sent, ever
	standing map[mesh.NodeID]*Conn         // both Hellos were exchanged
	greeted  map[mesh.NodeID]chan struct{} // our Hello on a dialled connection waits for the peer's; closed when it does no more
	attempts map[mesh.NodeID]*attempt      // to connect, under way
}

func newPeerTable(self mesh.NodeID) peerTable {
	return peerTable{
		self: self, standing: make(map[mesh.NodeID]*Conn),
		greeted: make(map[mesh.NodeID]chan struct{}), attempts: make(map[mesh.NodeID]*attempt),
	}
}

// greet gives the number of the Hello with which to begin on a connection
// that was dialled, or else the connection that makes it unnecessary, or what
// to wait for before asking again: another connection to the peer is being
// begun. The peer would take a second Hello for a sign that the first
// connection was given up, and requests may be on their way there.
func (t *peerTable) greet(peer mesh.NodeID) (sequence uint64, standing *Conn, wait <-chan struct{}) {
	if c := t.alive(peer); c != nil {
		return 0, c, nil
	}
	if other := t.greeted[peer]; other != nil {
		return 0, nil, other
	}
	t.greeted[peer] = make(chan struct{})
	t.hellos++
	return t.hellos, nil, nil
}

// ungreet takes back what greet noted.
func (t *peerTable) ungreet(peer mesh.NodeID) {
	close(t.greeted[peer])
	delete(t.greeted, peer)
}

func (t *peerTable) alive(peer mesh.NodeID) *Conn {
	if c := t.standing[peer]; c != nil && c.ctx.Err() == nil {
		return c
	}
	return nil
}

// admit lets c, on which the peer's Hello arrived, stand, in place of a
// connection that its peer no longer has. It is false when another one stays.
//
// The number in a Hello tells what its sender knew. Hellos of one instance of
// a peer are numbered in the order of its decisions, so a higher number than
// that of the standing connection means that the peer gave that one up.
// Where both sides dialled and neither has the other's Hello yet, the
// connection that the smaller id dialled is the one that stays.
func (t *peerTable) admit(c *Conn) (replaced *Conn, ok bool) {
	old := t.alive(c.peer.ID)
	switch {
	case old != nil && old.greeting.instance == c.greeting.instance && c.greeting.sequence < old.greeting.sequence:
		return nil, false
	case old == nil && !c.dialled && t.greeted[c.peer.ID] != nil && t.self < c.peer.ID:
		return nil, false
	}
	t.standing[c.peer.ID] = c
	return old, true
}

// remove forgets c.
func (t *peerTable) remove(c *Conn) {
	if t.standing[c.peer.ID] == c {
		delete(t.standing, c.peer.ID)
	}
}
