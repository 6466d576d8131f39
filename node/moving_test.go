package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/node/hlc"
	"github.com/virga-mesh/virga/node/store"
	"github.com/virga-mesh/virga/sdk"
)

// ledger is what was written and acknowledged while a mesh changes, and what
// readers saw of it meanwhile.
type ledger struct {
	t  *testing.T
	m  *simmesh.Mesh
	mu sync.Mutex
	n  int // keys written, named by number
}

func ledgerKey(n int) string { return fmt.Sprint("key ", n) }

// write writes some keys through nodes that run, one after another.
func (l *ledger) write(count int) {
	l.t.Helper()
	l.writeThrough(count, l.m.Running()...)
}

func (l *ledger) writeThrough(count int, nodes ...int) {
	l.t.Helper()
	for range count {
		put(l.t, l.m, nodes[l.n%len(nodes)], ledgerKey(l.n), fmt.Sprint("value ", l.n))
		l.mu.Lock()
		l.n++
		l.mu.Unlock()
	}
}

// read reads keys through a node until the context ends: none may be missing.
func (l *ledger) read(ctx context.Context, through *node.Node, rng *rand.Rand) {
	client := sdk.Attach(through)
	for ctx.Err() == nil {
		l.mu.Lock()
		key := rng.IntN(l.n)
		l.mu.Unlock()
		got, err := sdk.Register[string](client, ledgerKey(key)).Get(ctx)
		switch kind := mesh.KindOf(err); {
		case err == nil && got != fmt.Sprint("value ", key):
			l.t.Errorf("key %d is %q", key, got)
		case kind == mesh.NotFound:
			l.t.Errorf("key %d was acknowledged, and is missing: %v", key, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// while reads through all nodes that run now while f changes the mesh.
func (l *ledger) while(f func()) { l.whileThrough(l.m.Running(), f) }

func (l *ledger) whileThrough(nodes []int, f func()) {
	ctx, stop := context.WithCancel(l.t.Context())
	var readers sync.WaitGroup
	for _, i := range nodes {
		through := l.m.Node(i)
		readers.Go(func() { l.read(ctx, through, rand.New(rand.NewPCG(uint64(i), 0))) })
	}
	f()
	stop()
	readers.Wait()
}

// verify reads all keys through all nodes, and holds the disks against each other.
func (l *ledger) verify() {
	l.t.Helper()
	if err := l.m.Settle(within(l.t, time.Minute)); err != nil {
		l.t.Fatal(err)
	}
	for _, i := range l.m.Running() {
		for n := range l.n {
			wants(l.t, fmt.Sprintf("key %d through node %d", n, i), get(l.t, l.m, i, ledgerKey(n)), nil, fmt.Sprint("value ", n))
		}
	}
	var differ string
	for range 12 { // what differs last is found by comparing now and then
		if differ = l.disksAgree(); differ == "" {
			return
		}
		time.Sleep(5 * time.Second) // virtual
	}
	l.t.Error("only owners are to hold a key, all of them the same: ", differ)
}

// disksAgree looks at copies of the disks, without the code that moves what is on them.
func (l *ledger) disksAgree() string {
	digests := map[mesh.NodeID][]uint64{}
	for _, i := range l.m.Running() {
		digests[l.m.Node(i).ID()] = l.digestsOf(i)
	}
	for p := range mesh.Partition(mesh.Partitions) {
		var nodes []mesh.NodeID
		for id := range digests {
			nodes = append(nodes, id)
		}
		slices.SortFunc(nodes, func(a, b mesh.NodeID) int { return mesh.CompareDistance(p.ID(), a.ID(), b.ID()) })
		for rank, id := range nodes {
			want := uint64(0)
			if rank < 3 {
				want = digests[nodes[0]][p]
			}
			if got := digests[id][p]; got != want {
				return fmt.Sprintf("partition %v at %s, of rank %d: %x, want %x", p, id.Short(), rank, got, want)
			}
		}
	}
	return ""
}

func (l *ledger) digestsOf(i int) []uint64 {
	l.t.Helper()
	id := l.m.Node(i).ID()
	s, err := store.Open(store.Options{
		Dir: filepath.Join("/data", "store"), FS: l.m.Copy(i), Node: id,
		Clock: hlc.New(id, time.Now, time.Hour), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	defer s.Close()
	digests, err := s.Digests(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return digests
}

// keysOf is how many keys a node holds.
func (l *ledger) keysOf(i int) int {
	l.t.Helper()
	status, err := at(l.m, i).Status(within(l.t, time.Minute))
	if err != nil {
		l.t.Fatal(err)
	}
	return int(status.Keys)
}

// moving runs a test on a mesh with keys in it, and verifies it afterwards.
func moving(t *testing.T, nodes int, change func(t *testing.T, m *simmesh.Mesh, l *ledger)) {
	t.Helper()
	simulate(t, simmesh.Options{Nodes: nodes}, func(t *testing.T, m *simmesh.Mesh) {
		l := &ledger{t: t, m: m}
		l.write(100)
		l.while(func() { change(t, m, l) })
		l.verify()
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysMoveToANodeThatJoins(t *testing.T) {
	moving(t, 4, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		before := 0
		for _, i := range m.Running() {
			before += l.keysOf(i)
		}
		joined, err := m.Join(within(t, time.Minute))
		must(t, err)
		got := l.keysOf(joined)
		if fair := before / 5; got < fair/2 || got > 2*fair {
			t.Errorf("when it was ready it held %d keys of %d: want about %d, those that it owns", got, before, fair)
		}
		l.write(50)
	})
}

func TestTwoNodesJoinAtOnce(t *testing.T) {
	moving(t, 3, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		for range 2 {
			_, err := m.Join(within(t, time.Minute))
			must(t, err)
		}
		l.write(50)
	})
}

func TestTheOwnersOfWhatADeadNodeHeldAreFilled(t *testing.T) {
	moving(t, 5, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		must(t, m.Kill(4))
		must(t, m.Settle(within(t, time.Minute)))
		l.write(50)
		must(t, m.Settle(within(t, time.Minute)))
		must(t, m.Kill(3)) // what it held with the first is at two others by now
		must(t, m.Settle(within(t, time.Minute)))
	})
}

func TestANodeReturnsWithOldData(t *testing.T) {
	moving(t, 4, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		must(t, m.Kill(1))
		l.write(50)
		must(t, m.Restart(within(t, time.Minute), 1))
		l.write(10)
	})
}

func TestANodeReturnsWithAnEmptyDisk(t *testing.T) {
	moving(t, 4, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		must(t, m.Kill(1))
		m.Wipe(1)
		must(t, m.Restart(within(t, time.Minute), 1))
		must(t, m.Settle(within(t, time.Minute)))
		must(t, m.Kill(2))
		must(t, m.Settle(within(t, time.Minute)))
	})
}

func TestANodeReturnsWithAnEmptyStore(t *testing.T) {
	moving(t, 3, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		must(t, m.Kill(1))
		must(t, m.WipeStore(1))
		must(t, m.Restart(within(t, time.Minute), 1))
		l.write(10)
	})
}

func TestSidesOfAPartitionBecomeEqual(t *testing.T) {
	moving(t, 5, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		m.Partition([]int{0, 1, 2}, []int{3, 4})
		must(t, m.SettleApart(within(t, time.Minute), []int{0, 1, 2}, []int{3, 4}))
		for side, through := range map[int]string{0: "larger", 4: "smaller"} {
			wherever := at(m, side).WithState(sdk.StateOptions{WriteQuorum: 1}) // most of the owners may be on the other side
			must(t, sdk.Register[string](wherever, "from the "+through+" side").Put(within(t, 30*time.Second), through))
		}
		m.Heal()
		must(t, m.Settle(within(t, time.Minute)))
		for _, i := range m.Running() {
			for _, side := range []string{"larger", "smaller"} {
				wants(t, "what the "+side+" side wrote", get(t, m, i, "from the "+side+" side"), nil, side)
			}
		}
	})
}

// Nodes that were never told of one another make meshes of their own under one
// root. When one node is told of the others, the meshes become one.
func TestTwoMeshesOfOneRootThatMeetBecomeOne(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
		l := &ledger{t: t, m: m}
		for _, through := range [][]int{nil, {3}, {3, 4}} {
			_, err := m.JoinAt(within(t, time.Minute), through...)
			must(t, err)
		}
		first, second := []int{0, 1, 2}, []int{3, 4, 5}
		must(t, m.SettleApart(within(t, time.Minute), first, second))
		l.writeThrough(40, first...)
		const both = "a set that both have"
		must(t, sdk.Set[string](at(m, 0), both).Add(t.Context(), "of the first"))
		must(t, sdk.Set[string](at(m, 3), both).Add(t.Context(), "of the second"))
		put(t, m, 4, "of the second alone", "hello")
		wants(t, "what only the other mesh has", get(t, m, 5, ledgerKey(0)), nil, "(NotFound)")

		must(t, m.Stop(3))
		m.Introduce(3)
		l.whileThrough(first, func() { // what the first mesh has it shows all the time
			must(t, m.Restart(within(t, time.Minute), 3))
			must(t, m.Settle(within(t, time.Minute)))
		})
		for _, i := range m.Running() {
			wants(t, "what the second mesh had", get(t, m, i, "of the second alone"), nil, "hello")
			all, err := sdk.Set[string](at(m, i), both).All(t.Context())
			slices.Sort(all)
			wants(t, both, fmt.Sprint(all), err, "[of the first of the second]")
		}
		l.verify()
	})
}

func TestNodesRestartInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			simulate(t, simmesh.Options{Nodes: 3, Provide: arithmetic}, func(t *testing.T, m *simmesh.Mesh) {
				l := &ledger{t: t, m: m}
				l.write(30)
				for i := range m.Len() {
					must(t, m.Kill(i))
				}
				for _, i := range order {
					must(t, m.Restart(within(t, time.Minute), i))
				}
				l.verify()
			})
		})
	}
}

func TestWhoIsCutOffDoesNotSayMissing(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 3}, func(t *testing.T, m *simmesh.Mesh) {
		wants(t, "a key that was never written", get(t, m, 2, "never"), nil, "(NotFound)")
		m.Partition([]int{0, 1}, []int{2})
		must(t, m.SettleApart(within(t, time.Minute), []int{0, 1}, []int{2}))
		put(t, m, 0, "greeting", "hello")
		wants(t, "through the node that is cut off", get(t, m, 2, "greeting"), nil, "(Unavailable)")
		wants(t, "a key that was never written, through the larger side", get(t, m, 1, "never"), nil, "(NotFound)")
		m.Heal()
		must(t, m.Settle(within(t, time.Minute)))
		wants(t, "through the node that was cut off", get(t, m, 2, "greeting"), nil, "hello")
	})
}

func TestANodeThatDrainsHandsOverAllThatItHolds(t *testing.T) {
	moving(t, 4, func(t *testing.T, m *simmesh.Mesh, l *ledger) {
		_, err := at(m, 0).Drain(within(t, time.Minute), m.Node(3).ID())
		must(t, err)
		l.writeThrough(50, 0, 1, 2)
		select {
		case <-m.Node(3).Stopped():
		case <-within(t, time.Minute).Done():
			t.Fatal("a minute has passed, and it still drains")
		}
		must(t, m.Stop(3))
		must(t, m.Kill(2)) // nothing was with the two of them alone
		must(t, m.Settle(within(t, time.Minute)))
	})
}
