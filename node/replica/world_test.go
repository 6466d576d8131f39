package replica

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

var worldSeed = flag.Uint64("world", 0, "the one schedule that TestNothingIsLostWhileOwnersChange runs; 0: random ones")

// Nodes join, drain, die and come back while writes go on,
// of which each reaches two owners at least, and all that nodes ask of one
// another takes its time and may get lost. The machines decide; the world
// beside them is dumb: a set of numbers for each partition of each node.
func TestNothingIsLostWhileOwnersChange(t *testing.T) {
	if *worldSeed != 0 {
		runWorld(t, *worldSeed)
		return
	}
	for range 15 {
		seed := rand.Uint64()
		runWorld(t, seed)
		if t.Failed() {
			t.Fatalf("replay with: go test ./node/replica -run TestNothingIsLostWhileOwnersChange -world %d", seed)
		}
	}
}

const (
	worldOwners     = 3
	worldQuorum     = 2
	worldPartitions = 3
	worldNodes      = 7 // at most
)

type world struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Time
	nodes  []*citizen
	events []func()
	acked  [worldPartitions]map[int]bool
	cells  int // ever written
}

// citizen is a node.
type citizen struct {
	world      *world
	id         mesh.NodeID
	lives      int // how often it was started
	up         bool
	draining   bool
	gone       bool // drained
	cells      [worldPartitions]map[int]bool
	settlement *settlement
	release    *release
	view       *ownership
	met        map[mesh.NodeID]int // the live nodes that it sees, and which of their lives
	drains     map[mesh.NodeID]bool
	coming     int // changes of the view that it does not know of yet
}

func runWorld(t *testing.T, seed uint64) {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(0, 0)}
	for p := range w.acked {
		w.acked[p] = map[int]bool{}
	}
	for range 3 {
		w.join()
	}
	for range 2000 {
		w.step()
		w.checkReads()
		if t.Failed() {
			return
		}
	}
	w.end()
}

func (w *world) step() {
	switch n := w.rng.IntN(100); {
	case n < 15:
		w.write()
	case n < 18:
		w.kill()
	case n < 20:
		w.restart()
	case n == 20 && len(w.nodes) < worldNodes && w.rng.IntN(2) == 0:
		w.join()
	case n == 21 && w.rng.IntN(4) == 0:
		w.drain()
	case n >= 22 && n < 25:
		w.now = w.now.Add(time.Duration(w.rng.IntN(6000)) * time.Millisecond)
	case n < 40:
		w.act(w.nodes[w.rng.IntN(len(w.nodes))])
	default:
		w.deliver()
	}
}

// later lets f happen at some time, unless the citizen has died by then.
func (w *world) later(c *citizen, f func()) {
	life := c.lives
	w.events = append(w.events, func() {
		if c.up && c.lives == life {
			f()
		}
	})
}

// deliver lets something happen that was to happen.
func (w *world) deliver() {
	if len(w.events) == 0 {
		return
	}
	at := w.rng.IntN(len(w.events))
	event := w.events[at]
	w.events = slices.Delete(w.events, at, at+1)
	event()
}

func (w *world) where(is func(*citizen) bool) (found []*citizen) {
	for _, c := range w.nodes {
		if is(c) {
			found = append(found, c)
		}
	}
	return found
}

func (w *world) node(id mesh.NodeID) *citizen {
	return w.where(func(c *citizen) bool { return c.id == id })[0]
}

func (w *world) join() {
	c := &citizen{world: w, id: mesh.NodeID(fmt.Sprint("n", len(w.nodes)))}
	c.wipe()
	w.nodes = append(w.nodes, c)
	c.start()
}

func (c *citizen) wipe() {
	for p := range c.cells {
		c.cells[p] = map[int]bool{}
	}
}

func (c *citizen) start() {
	c.up = true
	c.lives++
	c.coming = 0
	c.settlement = newSettlement(c.id, settlementRules{
		interval: func() time.Duration { return 10 * time.Second },
		first:    10 * time.Millisecond, longest: time.Second, pulls: 2,
	})
	c.release = newRelease(c.id)
	c.met, c.drains = map[mesh.NodeID]int{}, map[mesh.NodeID]bool{}
	c.look()
	for _, other := range c.world.where(func(other *citizen) bool { return other.up && other != c }) {
		c.hearOf(other)
		other.hearOf(c)
	}
}

// hearOf lets a node see, sooner or later, how another one is then.
func (c *citizen) hearOf(other *citizen) {
	c.coming++
	c.world.later(c, func() {
		c.coming--
		c.drains[other.id] = other.draining
		anew := other.up && c.met[other.id] != other.lives
		if other.up {
			c.met[other.id] = other.lives
		} else {
			delete(c.met, other.id)
		}
		if anew {
			c.settlement.PeerUp(other.id, c.world.now)
		}
		c.look()
	})
}

// look makes the view of what it knows.
func (c *citizen) look() {
	live := append(slices.Collect(maps.Keys(c.met)), c.id)
	slices.Sort(live)
	heirs := slices.DeleteFunc(slices.Clone(live), func(id mesh.NodeID) bool {
		return c.drains[id] || id == c.id && c.draining
	})
	c.view = newOwnership(live, func(p mesh.Partition) []mesh.NodeID {
		if p >= worldPartitions {
			return nil
		}
		return rank(heirs, p)
	})
	c.settlement.View(c.view, c.world.now)
	c.release.View(c.view)
}

// sees reports whether a connection to another node stands, as far as it knows.
func (c *citizen) sees(other *citizen) bool { return c.met[other.id] == other.lives && other.up }

// rank gives the owners of a partition among nodes, in an order that has nothing to do with names.
func rank(ids []mesh.NodeID, p mesh.Partition) []mesh.NodeID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b mesh.NodeID) int {
		return cmp.Compare(mix(uint64(p)<<32+uint64(a[1])), mix(uint64(p)<<32+uint64(b[1])))
	})
	return ids[:min(worldOwners, len(ids))]
}

// mix is SplitMix64's finisher (Steele et al., 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c *citizen) digests() []uint64 {
	digests := make([]uint64, mesh.Partitions)
	for p := range c.cells {
		for cell := range c.cells[p] {
			digests[p] ^= mix(uint64(cell))
		}
	}
	return digests
}

// write adds a number to a partition through one of its owners.
func (w *world) write() {
	p := mesh.Partition(w.rng.IntN(worldPartitions))
	at := w.nodes[w.rng.IntN(len(w.nodes))]
	if !at.up || !slices.Contains(at.view.owners[p], at.id) {
		return
	}
	w.cells++
	cell := w.cells
	at.cells[p][cell] = true
	holders := 1
	for _, id := range at.view.owners[p] {
		other := w.node(id)
		if other != at && at.sees(other) && w.rng.IntN(10) > 0 {
			other.cells[p][cell] = true
			holders++
		}
	}
	if holders >= worldQuorum {
		w.acked[p][cell] = true
	}
}

// kill ends a node, if no other is dead. Its disk stays.
func (w *world) kill() {
	if len(w.where(func(c *citizen) bool { return !c.up && !c.gone })) > 0 {
		return
	}
	c := w.nodes[w.rng.IntN(len(w.nodes))]
	if !c.up || c.draining || len(w.where(func(c *citizen) bool { return c.up && !c.draining })) <= 1 {
		return
	}
	c.stop()
}

func (c *citizen) stop() {
	c.up = false
	for _, other := range c.world.where(func(other *citizen) bool { return other.up }) {
		other.hearOf(c)
	}
}

func (w *world) restart() {
	for _, c := range w.where(func(c *citizen) bool { return !c.up && !c.gone }) {
		c.start()
	}
}

// drain lets a node hand over what it holds, if enough others stay.
func (w *world) drain() {
	staying := w.where(func(c *citizen) bool { return c.up && !c.draining })
	if len(staying) <= worldOwners {
		return
	}
	c := staying[w.rng.IntN(len(staying))]
	c.draining = true
	c.look()
	for _, other := range w.where(func(other *citizen) bool { return other.up && other != c }) {
		other.hearOf(c)
	}
}

// act does what a node's machines say.
func (w *world) act(c *citizen) {
	if !c.up {
		return
	}
	for _, comparison := range c.settlement.Comparisons(w.now) {
		w.later(c, func() { w.compare(c, comparison) })
	}
	for _, d := range c.settlement.Pulls(w.now) {
		w.later(c, func() { w.pull(c, d) })
	}
	for id, digests := range c.settlement.Taken() {
		other := w.node(id)
		w.later(other, func() {
			for _, d := range digests {
				other.release.Confirmed(c.id, d)
			}
		})
	}
	for _, d := range c.release.Drops() {
		if c.digests()[d.partition] == d.digest {
			c.cells[d.partition] = map[int]bool{}
		}
		c.release.Dropped(d.partition)
	}
	if c.draining && !slices.ContainsFunc(c.cells[:], func(cells map[int]bool) bool { return len(cells) > 0 }) && c.coming == 0 {
		c.gone = true
		c.stop()
	}
}

func (w *world) compare(c *citizen, comparison comparison) {
	other := w.node(comparison.peer)
	if !c.sees(other) || !other.sees(c) || w.rng.IntN(10) == 0 {
		c.settlement.NotCompared(comparison, w.now)
		return
	}
	theirs, sees := other.digests(), slices.Collect(maps.Keys(other.met))
	w.later(c, func() { c.settlement.Compared(comparison, theirs, c.digests(), sees, w.now) })
}

func (w *world) pull(c *citizen, d pull) {
	other := w.node(d.peer)
	if !c.sees(other) || w.rng.IntN(10) == 0 {
		c.settlement.NotPulled(d, w.now)
		return
	}
	theirs := other.digests()[d.partition]
	cells := maps.Clone(other.cells[d.partition])
	w.later(c, func() {
		maps.Copy(c.cells[d.partition], cells)
		c.settlement.Pulled(d, theirs, c.digests()[d.partition], true)
	})
}

// checkReads sees that nobody who looks for a number that was acknowledged
// would find it missing: in a moment when all see alike.
func (w *world) checkReads() {
	if len(w.where(func(c *citizen) bool { return c.up && c.coming > 0 })) > 0 {
		return
	}
	var known []mesh.NodeID
	for _, c := range w.where(func(c *citizen) bool { return !c.gone && !c.draining }) {
		known = append(known, c.id)
	}
	reader := w.where(func(c *citizen) bool { return c.up })[0]
	for p := range mesh.Partition(worldPartitions) {
		mayOwn := rank(known, p)
		asked := append(slices.Clone(mayOwn), reader.view.owners[p]...)
		for cell := range w.acked[p] {
			if !w.found(p, cell, asked) && w.missing(p, mayOwn) {
				w.t.Fatalf("number %d of partition %d was acknowledged, and is missing", cell, int(p))
			}
		}
	}
}

// found reports whether one of the nodes asked holds a number, or asks one that does.
func (w *world) found(p mesh.Partition, cell int, asked []mesh.NodeID) bool {
	for _, id := range asked {
		c := w.node(id)
		if !c.up {
			continue
		}
		if c.cells[p][cell] {
			return true
		}
		for _, other := range c.settlement.Unsettled(p) {
			if c.sees(w.node(other)) && w.node(other).cells[p][cell] {
				return true
			}
		}
	}
	return false
}

// missing reports whether so many nodes say that they have nothing that it must be so.
func (w *world) missing(p mesh.Partition, mayOwn []mesh.NodeID) bool {
	votes := ballot{known: mayOwn, silent: worldQuorum - 1}
	for _, id := range mayOwn {
		if c := w.node(id); c.up {
			votes.count(answer{owner: id, settled: true, notOwner: !slices.Contains(c.view.owners[p], id)})
		}
	}
	return votes.verdict() == nil
}

// end lets all nodes come back and come to rest, and sees that the owners of
// each partition hold all of it, and nobody else anything.
func (w *world) end() {
	w.restart()
	for range 60 {
		w.now = w.now.Add(time.Second)
		for _, c := range w.nodes {
			w.act(c)
		}
		for len(w.events) > 0 {
			w.deliver()
		}
	}
	for _, c := range w.where(func(c *citizen) bool { return c.up }) {
		if n := c.settlement.Count(); n > 0 {
			w.t.Errorf("%s has yet to take over %d partitions at the end", string(c.id), n)
		}
		for p := range mesh.Partition(worldPartitions) {
			if !slices.Contains(c.view.owners[p], c.id) {
				if len(c.cells[p]) > 0 {
					w.t.Errorf("%s holds %d numbers of partition %d, which it does not own", string(c.id), len(c.cells[p]), int(p))
				}
				continue
			}
			for cell := range w.acked[p] {
				if !c.cells[p][cell] {
					w.t.Errorf("%s owns partition %d and has lost number %d", string(c.id), int(p), cell)
				}
			}
			if first := w.node(c.view.owners[p][0]); !maps.Equal(first.cells[p], c.cells[p]) {
				w.t.Errorf("%s and %s own partition %d and are not equal", string(first.id), string(c.id), int(p))
			}
		}
	}
}
