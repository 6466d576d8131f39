package replica

import (
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// deliveries says when to send to which node the deltas that it is owed. It
// has no I/O and no clock: the time is told to it. To each node goes one
// batch at a time; after a failure it waits, longer each time, unless the
// node is seen to come back.
type deliveries struct {
	first, longest time.Duration // the bounds of the wait after a failure
	nodes          map[mesh.NodeID]*delivery
}

type delivery struct {
	since    time.Time // when what is owed began to be
	sending  bool
	again    bool // more became owed while sending
	failures int
	due      time.Time
}

func newDeliveries(first, longest time.Duration) *deliveries {
	return &deliveries{first: first, longest: longest, nodes: make(map[mesh.NodeID]*delivery)}
}

// Owe says that a node is owed something more. It has just failed to
// acknowledge that, so the first attempt waits.
func (d *deliveries) Owe(node mesh.NodeID, now time.Time) {
	if to := d.nodes[node]; to != nil {
		to.again = true
		return
	}
	d.nodes[node] = &delivery{since: now, due: now.Add(d.first)}
}

// PeerUp says that a node was seen: what it is owed is due at once.
func (d *deliveries) PeerUp(node mesh.NodeID, now time.Time) {
	if to := d.nodes[node]; to != nil {
		to.failures = 0
		to.due = now
	}
}

// Ready gives the nodes to send to now, and takes them as being sent to.
func (d *deliveries) Ready(now time.Time) []mesh.NodeID {
	var ready []mesh.NodeID
	for node, to := range d.nodes {
		if !to.sending && !to.due.After(now) {
			to.sending, to.again = true, false
			ready = append(ready, node)
		}
	}
	slices.Sort(ready)
	return ready
}

// Delivered says that the node acknowledged a batch; more tells whether the
// store held more for it when the batch was read.
func (d *deliveries) Delivered(node mesh.NodeID, more bool, now time.Time) {
	to := d.nodes[node]
	if to == nil || !to.sending {
		return
	}
	if !more && !to.again {
		delete(d.nodes, node)
		return
	}
	*to = delivery{since: to.since, due: now}
}

// Undelivered says that sending failed.
func (d *deliveries) Undelivered(node mesh.NodeID, now time.Time) {
	to := d.nodes[node]
	if to == nil || !to.sending {
		return
	}
	wait := min(d.first<<min(to.failures, 20), d.longest)
	to.sending = false
	to.failures++
	to.due = now.Add(wait)
}

// Next is when Ready will next have something, if nothing happens before.
func (d *deliveries) Next() (time.Time, bool) {
	var next time.Time
	found := false
	for _, to := range d.nodes {
		if !to.sending && (!found || to.due.Before(next)) {
			next, found = to.due, true
		}
	}
	return next, found
}
