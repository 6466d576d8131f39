package node_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// keyOwnedBy gives a key of the default namespace that these nodes own, of all.
func keyOwnedBy(m *simmesh.Mesh, owners ...int) string {
	for n := 0; ; n++ {
		key := mesh.Key{Namespace: mesh.DefaultNamespace, Name: fmt.Sprint("key-", n)}
		nodes := make([]int, m.Len())
		for i := range nodes {
			nodes[i] = i
		}
		place := key.Partition().ID()
		slices.SortFunc(nodes, func(a, b int) int {
			return mesh.CompareDistance(place, m.Node(a).ID().ID(), m.Node(b).ID().ID())
		})
		closest := nodes[:len(owners)]
		slices.Sort(closest)
		if slices.Equal(closest, owners) {
			return key.Name
		}
	}
}

// A write that its owner alone has, since the others did not answer in time, is
// not shown to a run there before most owners have it: other stages of that may
// ask these.
func TestARunSeesNoWriteThatOneOwnerAloneHas(t *testing.T) {
	options := simmesh.Options{Nodes: 4, Provide: func(int) []node.Option { return []node.Option{node.Handle("steps", steps)} }}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		create(t, at(m, 0), chainOf(3))
		create(t, at(m, 0), chainOf(4))
		key := keyOwnedBy(m, 0, 2, 3)
		for _, level := range mesh.Levels() {
			if level == mesh.Eventual || level == mesh.CausalCut {
				continue // nothing is promised from stage to stage
			}
			put(t, m, 0, key, "old")
			does(t, m, level, doing{0, key}, doing{2, key}, doing{3, key})
			time.Sleep(5 * time.Second) // all is everywhere, and compared
			slow(m, 450*time.Millisecond)
			err := sdk.Register[string](at(m, 0), key).Put(within(t, 50*time.Millisecond), "new")
			if err == nil {
				t.Fatal("a put is acknowledged that one owner has")
			}
			if seen := does(t, m, level, doing{1, ""}, doing{0, key}, doing{1, ""}, doing{2, key}); seen != "old old" && seen != "new new" {
				t.Errorf("%v: one run saw %q", level, seen)
			}
			slow(m, 0)
			time.Sleep(5 * time.Second)
		}
	})
}

// Nor is what nodes have that stand in for owners of which they are cut off.
func TestARunSeesNoWriteThatTooFewOwnersHave(t *testing.T) {
	options := simmesh.Options{Nodes: 4, Provide: func(int) []node.Option { return []node.Option{node.Handle("steps", steps)} }}
	simulate(t, options, func(t *testing.T, m *simmesh.Mesh) {
		create(t, at(m, 0), chainOf(1))
		key := keyOwnedBy(m, 0, 1, 2)
		put(t, m, 0, key, "old")
		time.Sleep(5 * time.Second)
		m.Partition([]int{0, 1}, []int{2, 3})
		if err := sdk.Register[string](at(m, 2), key).Put(within(t, 50*time.Millisecond), "new"); err == nil {
			t.Fatal("a put is acknowledged that one of three owners has")
		}
		time.Sleep(10 * time.Second) // node 3 has taken the others' place
		wants(t, "a read that may see anything", get(t, m, 3, key), nil, "new")
		shown := func(when string) {
			for _, level := range mesh.Levels() {
				for _, i := range []int{2, 3} {
					handle := at(m, i).DAG("chain1")
					handle.Options.Place = map[string]mesh.NodeID{"s0": m.Node(i).ID()}
					handle.Options.Consistency = level
					results, err := handle.Call(within(t, 2*time.Second), sdk.Args{"s0": {[]string{key, "|"}}})
					if level.Causal() && err == nil {
						t.Errorf("%s, %v: a run on node %d reads %v, which one of three owners has", when, level, i, results)
					}
				}
			}
		}
		shown("while they are cut off")
		if err := m.Kill(2); err != nil {
			t.Fatal(err)
		}
		if err := m.Restart(within(t, time.Minute), 2); err != nil {
			t.Fatal(err)
		}
		shown("after a restart")
	})
}
