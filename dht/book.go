package dht

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Book keeps the nodes that are known, so that a restarted node finds the
// mesh even when the bootstrap nodes are gone. The bytes are the DHT's own.
type Book interface {
	// Load gives what was saved last, or nothing when nothing was.
	Load() ([]byte, error)
	// Save takes the place of what was saved before, whole or not at all.
	Save([]byte) error
}

// known is a node as the book has it.
type known struct {
	Node  string    `json:"node"`
	Addrs []string  `json:"addrs"`
	Seen  time.Time `json:"seen"`
	// What was said of it last, and when, in Unix milliseconds.
	Draining bool  `json:"draining,omitempty"`
	Gone     bool  `json:"gone,omitempty"`
	Said     int64 `json:"said,omitempty"`
}

// remembered gives the nodes for the book, those seen last first. What was
// found, and did not prove to be of the mesh, is not worth it.
func (r *roster) remembered(now time.Time) []known {
	var nodes []known
	for _, n := range r.nodes {
		if n.connected() {
			n.seen = now
		}
		if n.vouched || n.standing.state == gone {
			s := n.standing
			nodes = append(nodes, known{n.id.String(), n.addrs, n.seen.UTC().Truncate(time.Millisecond), s.state == draining, s.state == gone, s.said})
		}
	}
	slices.SortFunc(nodes, func(a, b known) int { return b.Seen.Compare(a.Seen) })
	return nodes
}

// recall learns what the book says, but for what is too old or malformed.
func (r *roster) recall(nodes []known, now time.Time) {
	for _, k := range nodes[:min(len(nodes), maxKnown)] {
		id, err := mesh.ParseNodeID(k.Node)
		if err != nil || now.Sub(k.Seen) > r.forgetAfter {
			continue
		}
		seen := k.Seen
		if seen.After(now) {
			seen = now
		}
		r.introduce(Member{ID: id, Addrs: dialable(k.Addrs), MissingSince: seen}, standingOf(k.Draining, k.Gone, k.Said), now)
	}
}

// loadBook learns the known nodes. A book that cannot be read costs a
// warning: the bootstrap addresses may do.
func (d *DHT) loadBook() {
	if d.config.Book == nil {
		return
	}
	content, err := d.config.Book.Load()
	var nodes []known
	if err == nil && len(content) > 0 {
		err = json.Unmarshal(content, &nodes)
	}
	if err != nil {
		d.config.Log.Warn("the known nodes could not be read; starting without", "err", err)
		return
	}
	d.update(func(now time.Time) { d.roster.recall(nodes, now) })
}

// bookInterval is how often the book is saved at most.
const bookInterval = time.Second

// bookLoop saves the known nodes when the view changed, and at the end.
func (d *DHT) bookLoop(ctx context.Context) {
	if d.config.Book == nil {
		return
	}
	defer d.saveBook()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.recorded:
		}
		d.saveBook()
		select {
		case <-ctx.Done():
			return
		case <-time.After(bookInterval):
		}
	}
}

func (d *DHT) saveBook() {
	var nodes []known
	d.update(func(now time.Time) { nodes = d.roster.remembered(now) })
	content, err := json.MarshalIndent(nodes, "", " ")
	if err == nil {
		err = d.config.Book.Save(content)
	}
	if err != nil {
		d.config.Log.Warn("the known nodes could not be saved", "err", err)
	}
}
