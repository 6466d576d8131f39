package txn

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/hlc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes, of which the first three own all keys and records. What
// a request does at one owner is one step; a node can die at any of its steps,
// before it or with it, and steps and answers can be lost.
type world struct {
	t     *testing.T
	names []mesh.NodeID
	nodes map[mesh.NodeID]*node

	mu     sync.Mutex
	random *rand.Rand
	lag    time.Duration // of a step, at most
	loss   float64       // how likely a step is lost, and, as often, its answer
	cut    map[mesh.NodeID]bool
	dead   map[mesh.NodeID]bool
	steps  map[mesh.NodeID]int                                     // that a node has taken
	dies   map[mesh.NodeID]int                                     // at which of them it does, counted from 1
	late   bool                                                    // that step is taken all the same
	dots   int                                                     // that records were given
	asked  map[string]int                                          // requests, by method
	stamps map[string]lattice.Stamp                                // of transactions, by the value that they write first
	fails  func(by mesh.NodeID, method string, key mesh.Key) error // before anything is done
	forget func(by mesh.NodeID, method string) bool                // once it is done
	work   sync.WaitGroup                                          // what is still on its way
	rest   map[mesh.NodeID]chan struct{}                           // requests of a node wait for this
}

// node is a node, with its copies if it is an owner.
type node struct {
	*Txns
	w       *world
	self    mesh.NodeID
	clock   *hlc.Clock
	copies  map[mesh.Key]version
	records map[lattice.Stamp]entry
}

// version is what a copy shows.
type version struct {
	at     lattice.Stamp
	value  string // "-": deleted
	needs  lattice.Past
	sealed bool
}

// entry is a field of an or-map: there as long as a dot of it is not dropped.
type entry struct {
	kept, dropped map[int]bool
	record        []byte
}

func (e entry) exists() bool {
	for dot := range e.kept {
		if !e.dropped[dot] {
			return true
		}
	}
	return false
}

func (e entry) join(o entry) entry {
	kept, dropped := maps.Clone(e.kept), maps.Clone(e.dropped)
	if kept == nil {
		kept, dropped = map[int]bool{}, map[int]bool{}
	}
	maps.Copy(kept, o.kept)
	maps.Copy(dropped, o.dropped)
	if o.record != nil {
		e.record = o.record
	}
	return entry{kept, dropped, e.record}
}

func (v version) join(o version) version {
	switch {
	case v.at == o.at:
		o.needs, o.sealed = o.needs.Join(v.needs), o.sealed || v.sealed
		return o
	case o.at.After(v.at):
		return o
	}
	return v
}

func newWorld(t *testing.T, n int, change ...func(*Options)) *world {
	w := &world{
		t: t, nodes: map[mesh.NodeID]*node{}, random: rand.New(rand.NewPCG(1, 1)), cut: map[mesh.NodeID]bool{}, dead: map[mesh.NodeID]bool{},
		steps: map[mesh.NodeID]int{}, dies: map[mesh.NodeID]int{}, asked: map[string]int{}, stamps: map[string]lattice.Stamp{}, rest: map[mesh.NodeID]chan struct{}{},
	}
	for i := range n {
		self := mesh.NodeID(fmt.Sprint("n", i))
		at := &node{w: w, self: self, clock: hlc.New(self, time.Now, 0), copies: map[mesh.Key]version{}, records: map[lattice.Stamp]entry{}}
		w.names, w.nodes[self] = append(w.names, self), at
		w.start(i, change...)
	}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.Close()
		}
		w.work.Wait()
	})
	return w
}

// start starts a node, anew if it was there.
func (w *world) start(i int, change ...func(*Options)) {
	n := w.at(i)
	o := Options{Self: n.self, Store: n, Peers: n, Now: n.clock.Now, Observe: n.clock.Observe, Live: w.live, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	n.Txns = New(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.dead, n.self)
	delete(w.dies, n.self)
}

func (w *world) at(i int) *node { return w.nodes[w.names[i]] }

func (w *world) live(node mesh.NodeID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.dead[node]
}

func (w *world) isDead(i int) bool { return !w.live(w.names[i]) }

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) count(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[method]
}

// goesOn is how many commits are under way at a node.
func (w *world) goesOn(i int) int {
	n := w.at(i)
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.commits)
}

func (w *world) owners() []*node { return []*node{w.at(0), w.at(1), w.at(2)} }

var errLost = mesh.Errorf(mesh.Unavailable, "store", "too few owners can be reached")

// spread has all owners know what any of them knows of records, as in time they do.
func (w *world) spread() {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[lattice.Stamp]entry{}
	for range 2 {
		for _, o := range w.owners() {
			for at, e := range o.records {
				all[at] = all[at].join(e)
			}
			maps.Copy(o.records, all)
		}
	}
}

// left is how many records there are.
func (w *world) left() (n int) {
	w.spread()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.at(0).records {
		if e.exists() {
			n++
		}
	}
	return n
}

func key(name string) mesh.Key { return mesh.Key{Namespace: mesh.DefaultNamespace, Name: name} }

// sets are writes of one value; "-" deletes.
func sets(value string, names ...string) (writes []Write) {
	for _, name := range names {
		writes = append(writes, Write{Key: key(name), Value: []byte(value), Deletes: value == "-"})
	}
	return writes
}

// shows reads keys at a node, in some order, and reports whether all show a
// value or none does. Once one does all have to.
func (w *world) shows(by int, value string, names ...string) bool {
	w.t.Helper()
	first := ""
	for _, name := range w.shuffled(names) {
		if w.show(by, name) == value {
			first = name
			break
		}
	}
	for _, name := range w.shuffled(names) {
		if got := w.show(by, name); first != "" && got != value {
			w.t.Errorf("%s shows %q and %s %q", first, value, name, got)
		}
	}
	return first != ""
}

func (w *world) show(by int, name string) string {
	w.t.Helper()
	v, err := w.at(by).get(w.t.Context(), key(name))
	if err != nil {
		w.t.Fatalf("get %s: %v", name, err)
	}
	return v.value
}

func (w *world) shuffled(names []string) []string {
	names = slices.Clone(names)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

// sealed reports whether most owners have each key sealed.
func (w *world) sealed(names ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		n := 0
		for _, o := range w.owners() {
			if o.copies[key(name)].sealed {
				n++
			}
		}
		if n < 2 {
			return false
		}
	}
	return true
}

// sweep has all nodes that live complete what is left, for so long.
func (w *world) sweep(long time.Duration) {
	ctx, cancel := context.WithTimeout(w.t.Context(), long)
	defer cancel()
	var all sync.WaitGroup
	for i, name := range w.names {
		if w.live(name) {
			all.Go(func() { w.at(i).Run(ctx) })
		}
	}
	all.Wait()
}
