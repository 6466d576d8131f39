package watch

import (
	"maps"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// gathering is one page of a watch on its way: what nodes tell of their
// changes is merged by key, and the watcher's places move on. It has no I/O
// and no clock. The outcome is taken once, at the end.
type gathering struct {
	began  bool   // without a token: there is no past to ask for
	from   places // as in the token
	moved  places // after what was told
	gaps   places // of nodes whose changes were lost: where they stand after the gap
	events []*event
	byName map[string]*event
	bytes  int // of cells told
}

// event is what the nodes that answered hold of a key that changed.
type event struct {
	name    string
	cell    lattice.Cell
	omitted bool // too large to be told, or not to be read
}

// told is what a node answers.
type told struct {
	at    place // after what it tells
	lost  bool
	keys  []event
	bytes int // of cells in keys
}

// maxGathered bounds the cells of a page from several nodes, in bytes; one
// node's part is taken whatever its size.
const maxGathered = 4 << 20

func newGathering(from places, began bool) *gathering {
	return &gathering{
		began: began, from: from, moved: maps.Clone(from), gaps: places{}, byName: make(map[string]*event),
	}
}

// ask gives the place to ask a node from. now says that there is none in the
// past: the node tells where it stands. A place with incarnation 0 is the
// beginning of a node that the watcher does not know.
func (g *gathering) ask(node mesh.NodeID) (at place, now bool) {
	tag := tagOf(node)
	if gap, is := g.gaps[tag]; is {
		return gap, false
	}
	at, known := g.moved[tag]
	return at, g.began && !known
}

// answer takes what a node tells. It reports whether it was taken: beyond
// maxGathered it is left for the next page.
func (g *gathering) answer(node mesh.NodeID, t told) bool {
	tag := tagOf(node)
	switch {
	case t.lost:
		g.gaps[tag] = t.at
		return true
	case len(g.events) > 0 && g.bytes+t.bytes > maxGathered:
		return false
	}
	g.moved[tag] = t.at
	g.bytes += t.bytes
	for _, e := range t.keys {
		g.merge(e)
	}
	return true
}

// merge adds what one owner holds of a key to what others do.
func (g *gathering) merge(e event) {
	known := g.byName[e.name]
	if known == nil {
		g.byName[e.name] = &e
		g.events = append(g.events, &e)
		return
	}
	known.omitted = known.omitted || e.omitted
	if _, err := known.cell.Merge(e.cell); err != nil { // owners hold different kinds for a while
		known.omitted = true
	}
}

// news reports whether there is something to tell.
func (g *gathering) news() bool { return len(g.events) > 0 || len(g.gaps) > 0 }

// lagged reports whether changes may have been missed. Then no event is told,
// so that who watches reads everything anew, and then what came after.
func (g *gathering) lagged() bool { return len(g.gaps) > 0 }

// outcome is where the watcher stands afterwards, and what it is told.
func (g *gathering) outcome() (places, []*event) {
	if !g.lagged() {
		return g.moved, g.events
	}
	after := maps.Clone(g.from)
	maps.Copy(after, g.gaps)
	return after, nil
}
