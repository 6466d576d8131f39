package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// pushBound is how late a cache may learn of a change, in virtual time: the
// epoch of 10 ms, and the packets' way there.
const pushBound = 30 * time.Millisecond

// byRole tells the nodes that own a key from those that do not. Every node
// reads it for that; it must be the only key that is read.
func byRole(t *testing.T, m *simmesh.Mesh, name, want string) (owners, others []int) {
	t.Helper()
	for _, i := range m.Running() {
		wants(t, fmt.Sprintf("node %d", i), get(t, m, i, name), nil, want)
		status, err := at(m, i).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.CachedKeys > 0 {
			others = append(others, i)
		} else {
			owners = append(owners, i)
		}
	}
	return owners, others
}

func TestNodesThatDoNotOwnAKeyReadItFromTheirCachesAndSeeChangesWithinAPush(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 5}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "0")
		owners, others := byRole(t, m, "k", "0")
		if len(owners) != 3 || len(others) != 2 {
			t.Fatalf("owners %v, others %v: want 3 and 2", owners, others)
		}
		for _, i := range others {
			began := time.Now()
			wants(t, "a cached read", get(t, m, i, "k"), nil, "0")
			if took := time.Since(began); took != 0 {
				t.Errorf("a cached read took %v of virtual time: it asked another node", took)
			}
		}
		for change := 1; change <= 10; change++ {
			text := fmt.Sprint(change)
			put(t, m, change%5, "k", text)
			acked := time.Now()
			for _, i := range others {
				until(t, pushBound-time.Since(acked), fmt.Sprintf("node %d sees change %d", i, change), func() bool { return get(t, m, i, "k") == text })
			}
		}
	})
}

func TestACacheIsDroppedWhenTheOwnerThatFedItDies(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 7}, func(t *testing.T, m *simmesh.Mesh) {
		put(t, m, 0, "k", "0")
		owners, _ := byRole(t, m, "k", "0")
		for change, owner := range owners[:2] {
			if err := m.Kill(owner); err != nil {
				t.Fatal(err)
			}
			if err := m.Settle(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint(change + 1)
			put(t, m, owners[2], "k", text)
			for _, i := range m.Running() {
				until(t, time.Second, fmt.Sprintf("node %d sees change %s", i, text), func() bool { return get(t, m, i, "k") == text })
			}
			if err := m.Restart(within(t, time.Minute), owner); err != nil {
				t.Fatal(err)
			}
			if err := m.Settle(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAFunctionSeesTheCopyThatItsNodeCaches(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 5})
	deploy(t, at(m, 0), "get", guestModule, "")
	put(t, m, 0, "k", "v")
	for i := range m.Len() {
		for range 2 {
			f := sdk.Func[string, string](at(m, i), "get")
			f.Options.Place = map[string]mesh.NodeID{"get": m.Node(i).ID()}
			got, err := f.Call(within(t, 30*time.Second), "k")
			wants(t, fmt.Sprintf("the function at node %d", i), got, err, "v")
		}
		status, err := at(m, i).Status(t.Context())
		if err != nil || status.Keys+status.CachedKeys == 0 {
			t.Errorf("node %d holds nothing: %+v, %v", i, status, err)
		}
	}
}

func TestTwentyNodesFormOneMeshAndAgreeOnOwners(t *testing.T) {
	simulate(t, simmesh.Options{Nodes: 20, Provide: onlyAt(7, arithmetic(7)...)}, func(t *testing.T, m *simmesh.Mesh) {
		time.Sleep(time.Second) // virtual: what the nodes told at their start has arrived
		before := copies(t, m)
		const keys = 40
		for i := range keys {
			client := at(m, i%m.Len()).WithState(sdk.StateOptions{WriteQuorum: 3})
			if err := sdk.Register[int](client, fmt.Sprint("key-", i)).Put(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		if held := copies(t, m) - before; held != 3*keys {
			t.Errorf("%d copies of %d keys: the nodes do not agree on three owners each", held, keys)
		}
		for i := range keys {
			got, err := sdk.Register[int](at(m, (i*7+3)%m.Len()), fmt.Sprint("key-", i)).Get(within(t, time.Minute))
			wants(t, fmt.Sprint("key-", i), got, err, i)
		}
		for i := range m.Len() {
			got, err := call[int](t, at(m, i), "square", i)
			wants(t, "square", got, err, i*i)
		}
	})
}

// copies is how many copies of keys all nodes hold as owners.
func copies(t *testing.T, m *simmesh.Mesh) (sum int) {
	t.Helper()
	for i := range m.Len() {
		status, err := at(m, i).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum += int(status.Keys)
	}
	return sum
}
