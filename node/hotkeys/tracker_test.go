package hotkeys

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// gang is trackers of nodes "a" to "f" that hear each other at once. Every
// key is owned in the order of the letters.
type gang struct {
	mu       sync.Mutex
	live     []mesh.NodeID
	trackers map[mesh.NodeID]*Tracker
	pinned   map[mesh.NodeID]int
}

// member is a gang as one node sees it.
type member struct {
	*gang
	self mesh.NodeID
}

func (g *gang) Owners(_ mesh.Key, n int) []mesh.NodeID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.live[:min(n, len(g.live))])
}

func (g *gang) Live() []mesh.NodeID { return g.Owners(mesh.Key{}, 100) }

func (m member) Send(_ context.Context, to mesh.NodeID, msg wire.Message) error {
	if _, err := proto.Marshal(msg); err != nil {
		return err
	}
	switch msg := msg.(type) {
	case *pb.HotReport:
		return m.trackers[to].HandleReport(m.self, msg)
	case *pb.HotKeys:
		return m.trackers[to].HandleHotKeys(msg)
	}
	return mesh.Errorf(mesh.Invalid, "send", "%T", msg)
}

func (m member) Pin(mesh.Key, []mesh.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned[m.self]++
}

func (m member) Now() lattice.Stamp {
	return lattice.Stamp{Time: uint64(time.Now().UnixNano()), Node: string(m.self) + "\xff"} // ids are bytes, not text
}

// withGang runs a test beside six trackers, under virtual time.
func withGang(t *testing.T, test func(t *testing.T, g *gang)) {
	synctest.Test(t, func(t *testing.T) {
		g := &gang{live: []mesh.NodeID{"a", "b", "c", "d", "e", "f"}, trackers: map[mesh.NodeID]*Tracker{}, pinned: map[mesh.NodeID]int{}}
		for _, id := range g.live {
			m := member{g, id}
			g.trackers[id] = New(Options{Self: id, Placement: m, Peers: m, Cache: m, Clock: m, Sample: 1, Rate: 100, MaxExtra: 2})
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, tracker := range g.trackers {
			running.Go(func() { tracker.Run(ctx) })
		}
		test(t, g)
		cancel()
		running.Wait()
	})
}

// read lets a node serve a key so often per second, for a time.
func (g *gang) read(node mesh.NodeID, key mesh.Key, owner bool, rate int, d time.Duration) {
	for range int(d/time.Second) * rate {
		g.trackers[node].Read(key, owner)
		time.Sleep(time.Second / time.Duration(rate))
	}
}

func TestLoadOnOneKeyRaisesReadersThatGoWithIt(t *testing.T) {
	withGang(t, func(t *testing.T, g *gang) {
		key := named("popular")
		g.read("b", key, true, 150, 5*time.Second)
		if readers := g.trackers["f"].Readers(key); len(readers) != 0 {
			t.Errorf("readers %v before the load has lasted", readers)
		}
		g.read("b", key, true, 150, 20*time.Second)
		for id, tracker := range g.trackers {
			if readers := tracker.Readers(key); !slices.Equal(readers, []mesh.NodeID{"d"}) {
				t.Errorf("%s knows the readers %v: expected d", id, readers)
			}
		}
		g.read("b", key, true, 1000, 10*time.Second)
		if readers := g.trackers["c"].Readers(key); !slices.Equal(readers, []mesh.NodeID{"d", "e"}) {
			t.Errorf("more load gives the readers %v: expected d and e", readers)
		}
		g.mu.Lock()
		if g.pinned["d"] < 20 || g.pinned["e"] < 5 || g.pinned["f"] != 0 || g.pinned["a"] != 0 {
			t.Errorf("copies were kept %v times", g.pinned)
		}
		g.mu.Unlock()
		g.read("e", key, false, 150, time.Minute) // the load has moved to an extra reader, and counts there
		if readers := g.trackers["c"].Readers(key); !slices.Equal(readers, []mesh.NodeID{"d"}) {
			t.Errorf("less load leaves the readers %v: expected d", readers)
		}
		time.Sleep(2 * time.Minute)
		for id, tracker := range g.trackers {
			if stats := tracker.Stats(); stats.Raised != 0 || stats.Copies != 0 || len(stats.Top) != 0 {
				t.Errorf("%s tells %+v long after the load", id, stats)
			}
		}
	})
}

func TestReadsOfCachesThatNobodyRaisedAreNotCounted(t *testing.T) {
	withGang(t, func(t *testing.T, g *gang) {
		g.read("f", named("k"), false, 1000, 20*time.Second)
		if stats := g.trackers["f"].Stats(); len(stats.Top) != 0 || stats.Raised != 0 {
			t.Errorf("the node tells %+v", stats)
		}
	})
}

func TestANewPrimaryTakesOver(t *testing.T) {
	withGang(t, func(t *testing.T, g *gang) {
		key := named("popular")
		g.read("b", key, true, 300, 20*time.Second)
		g.mu.Lock()
		g.live = g.live[1:] // without a, the primary
		g.mu.Unlock()
		g.read("b", key, true, 300, time.Minute)
		if readers := g.trackers["c"].Readers(key); !slices.Equal(readers, []mesh.NodeID{"e", "f"}) {
			t.Errorf("the readers are %v: expected e and f", readers)
		}
	})
}

func TestOwnersOfAHotKeyAreAskedInTurn(t *testing.T) {
	withGang(t, func(t *testing.T, g *gang) {
		key, owners := named("popular"), []mesh.NodeID{"a", "b", "c"}
		first := map[mesh.NodeID]bool{}
		for range 100 {
			first[g.trackers["f"].Order(key, owners)[0]] = true
		}
		if len(first) != 1 || !first["a"] {
			t.Errorf("%v are asked first for a key that is not hot: expected a", first)
		}
		g.read("b", key, true, 300, 20*time.Second)
		for range 100 {
			order := g.trackers["f"].Order(key, owners)
			first[order[0]] = true
			if slices.Sort(order); !slices.Equal(order, owners) {
				t.Fatalf("asked are %v", order)
			}
		}
		if len(first) != 3 {
			t.Errorf("%v are asked first for a hot key: expected each", first)
		}
	})
}

func TestHostileWords(t *testing.T) {
	withGang(t, func(t *testing.T, g *gang) {
		b := g.trackers["b"]
		for what, err := range map[string]error{
			"a report without a key": b.HandleReport("a", &pb.HotReport{Keys: []*pb.ReportedKey{nil, {}}}),
			"a word without a key":   b.HandleHotKeys(&pb.HotKeys{Keys: []*pb.RaisedKey{nil}}),
		} {
			if mesh.KindOf(err) != mesh.Invalid {
				t.Errorf("%s gave %v: expected Invalid", what, err)
			}
		}
		many := &pb.HotKeys{LeaseMs: 1 << 31}
		for i := range 2 * maxRaised {
			many.Keys = append(many.Keys, &pb.RaisedKey{Key: wire.FromKey(named(string(rune('a' + i)))), Extra: 1 << 30})
		}
		for range 2 {
			if err := b.HandleHotKeys(many); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		if stats := b.Stats(); stats.Raised > maxRaised {
			t.Errorf("%d keys are raised: expected at most %d", stats.Raised, maxRaised)
		}
	})
}

func TestCountingAReadAllocatesNothing(t *testing.T) {
	g := &gang{}
	tracker := New(Options{Placement: g, Sample: 1})
	key := named("k")
	tracker.Read(key, true)
	if n := testing.AllocsPerRun(100, func() { tracker.Read(key, true) }); n != 0 {
		t.Errorf("counting a read allocates %v times", n)
	}
}

func BenchmarkRead(b *testing.B) {
	for name, sample := range map[string]int{"all": 1, "sampled": 16} {
		b.Run(name, func(b *testing.B) {
			tracker := New(Options{Placement: &gang{}, Sample: sample})
			key := named("k")
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					tracker.Read(key, true)
				}
			})
		})
	}
}
