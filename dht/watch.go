package dht

import "context"

// Event tells that a node came into the view, or went out of it.
type Event struct {
	Up   bool
	Peer Peer
}

// Watch calls f for each node that comes or goes, one call at a time and in
// order, from Run until it ends. Of a node that came and went in between
// nothing is told; one that was connected anew goes and comes. f may take
// its time: events do not queue up. Call Watch before Run.
func (d *DHT) Watch(f func(Event)) { d.watchers = append(d.watchers, f) }

// WatchMembers calls f after Known may have changed, and after the events
// of Watch, from the same goroutine. Several changes may be told as one.
// Call it before Run.
func (d *DHT) WatchMembers(f func()) { d.onMembers = append(d.onMembers, f) }

// watchLoop tells how the view changed since it was looked at last.
func (d *DHT) watchLoop(ctx context.Context) {
	told := newView(Peer{ID: d.self}, nil, nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.viewed:
		}
		v := d.current.Load()
		for _, e := range difference(told, v) {
			if e.Peer.ID != d.self {
				d.tell(e)
			}
		}
		told = v
		for _, f := range d.onMembers {
			f()
		}
	}
}

func (d *DHT) tell(e Event) {
	d.config.Log.Info("view", "node", e.Peer.ID.Short(), "up", e.Up, "addrs", e.Peer.Addrs)
	d.kademlia.Load().follow(e)
	for _, f := range d.watchers {
		f(e)
	}
}

// difference lists who went and who came, those who went first.
func difference(from, to *view) []Event {
	var events []Event
	for i, p := range from.peers {
		if at, found := to.index(p.ID); !found || to.connections[at] != from.connections[i] {
			events = append(events, Event{false, p})
		}
	}
	for i, p := range to.peers {
		if at, found := from.index(p.ID); !found || from.connections[at] != to.connections[i] {
			events = append(events, Event{true, p})
		}
	}
	return events
}
