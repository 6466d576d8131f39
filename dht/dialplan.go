package dht

import (
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// dial is one dial to make: of a node that is known, or of whoever answers at a bootstrap address.
type dial struct {
	node      *record
	bootstrap *bootstrap
	id        mesh.NodeID // empty for a bootstrap address
	addrs     []string
	suspect   bool // the node stays in the view until this dial has failed
}

func (d dial) attempt() *attempt {
	if d.node != nil {
		return &d.node.dial
	}
	return &d.bootstrap.dial
}

// due takes up to limit dials that are due, those that wait longest first.
func (r *roster) due(now time.Time, limit int) []dial {
	var dials []dial
	for _, d := range r.missing(now) {
		if d.attempt().ready(now) {
			dials = append(dials, d)
		}
	}
	slices.SortFunc(dials, func(a, b dial) int {
		if a.suspect != b.suspect {
			if a.suspect {
				return -1
			}
			return 1
		}
		return a.attempt().next.Compare(b.attempt().next)
	})
	dials = dials[:min(limit, len(dials))]
	for _, d := range dials {
		d.attempt().start()
	}
	return dials
}

// nextDue gives the earliest time at which a dial will be due. It is false when none is planned.
func (r *roster) nextDue(now time.Time) (time.Time, bool) {
	var earliest time.Time
	found := false
	for _, d := range r.missing(now) {
		a := d.attempt()
		if !a.dialling && (!found || a.next.Before(earliest)) {
			earliest, found = a.next, true
		}
	}
	return earliest, found
}

// missing lists what should be connected and is not.
func (r *roster) missing(now time.Time) []dial {
	var dials []dial
	wanted := r.wanted()
	for _, n := range r.nodes {
		if !n.connected() && n.left.IsZero() && (n.suspect || n.standing.state != gone && wanted(n)) {
			dials = append(dials, dial{node: n, id: n.id, addrs: n.addrs, suspect: n.suspect})
		}
	}
	for _, b := range r.bootstrap {
		if b.id != r.self && !r.answers(b, now) {
			dials = append(dials, dial{bootstrap: b, addrs: []string{b.addr}})
		}
	}
	return dials
}

// answers reports whether the node that last answered at a bootstrap address
// is connected, or left so recently that it may still be closing.
func (r *roster) answers(b *bootstrap, now time.Time) bool {
	n := r.nodes[b.id]
	return n != nil && (n.connected() || now.Sub(n.left) < leaveQuiet)
}

// nearest is how many of the nodes nearest to this one are connected even
// when there are more nodes than the view is meant to hold.
const nearest = 32

// wanted gives the test of whether a missing node is to be dialled: any,
// below the limit; beyond it, those nearer than the nearest that are connected.
func (r *roster) wanted() func(*record) bool {
	var connected []mesh.ID
	for _, n := range r.nodes {
		if n.connected() {
			connected = append(connected, n.place)
		}
	}
	if len(connected) < r.maxPeers {
		return func(*record) bool { return true }
	}
	slices.SortFunc(connected, func(a, b mesh.ID) int { return mesh.CompareDistance(r.selfID, a, b) })
	farthest := connected[min(nearest, len(connected))-1]
	return func(n *record) bool { return mesh.CompareDistance(r.selfID, n.place, farthest) < 0 }
}

// dialled notes the outcome of a dial: who answered, or the empty id; and
// whether that is because one side refused the other.
func (r *roster) dialled(d dial, answered mesh.NodeID, refused bool, now time.Time) {
	d.attempt().end(answered != "", now)
	if refused {
		d.attempt().retryAt(now.Add(refusedRedial))
	}
	r.planChanged = true
	if d.bootstrap != nil && answered != "" {
		d.bootstrap.id = answered
	}
	if d.node != nil && d.node.suspect && answered == "" {
		d.node.suspect, r.viewChanged = false, true
	}
}

// settled reports whether everything there was to reach has been tried: the
// nodes that others named when one has compared views with this node, or
// else every node that is remembered and every bootstrap address.
func (r *roster) settled() bool {
	connected, compared, untried, unnamed := false, false, false, false
	for _, n := range r.nodes {
		connected = connected || n.connected()
		compared = compared || n.connected() && n.compared.done
		if !n.connected() && n.left.IsZero() && n.standing.state != gone && !n.dial.tried {
			untried = untried || n.named
			unnamed = unnamed || !n.named
		}
	}
	if connected {
		return compared && !untried
	}
	for _, b := range r.bootstrap {
		untried = untried || !b.dial.tried
	}
	return !untried && !unnamed
}
