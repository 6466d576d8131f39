package nemesis

import (
	"fmt"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Kind is what a key of the load holds.
type Kind string

// The kinds of keys.
const (
	Set      Kind = "set"
	Counter  Kind = "counter"
	Register Kind = "register"
)

// Key is a key of the load.
type Key struct {
	Kind   Kind
	Name   string
	owners []mesh.NodeID
}

// replicas is how many nodes own a key: the nodes' default.
const replicas = 3

// keyspace makes the keys of a load, so many of a kind, and says who owns
// them: the nodes closest to the key's partition while all live.
func keyspace(kind Kind, count int, nodes []mesh.NodeID) (keys []Key) {
	return namedKeys(kind, string(kind), count, nodes)
}

// namedKeys is keyspace with names that begin with a word.
func namedKeys(kind Kind, word string, count int, nodes []mesh.NodeID) (keys []Key) {
	for i := range count {
		name := fmt.Sprintf("%s-%d", word, i)
		at := mesh.Key{Namespace: mesh.DefaultNamespace, Name: name}.Partition().ID()
		owners := slices.SortedFunc(slices.Values(nodes), func(a, b mesh.NodeID) int {
			return mesh.CompareDistance(at, a.ID(), b.ID())
		})
		keys = append(keys, Key{Kind: kind, Name: name, owners: owners[:min(replicas, len(owners))]})
	}
	return keys
}

// ownedBy reports whether a node is among the key's owners while all live.
func (k Key) ownedBy(node mesh.NodeID) bool { return slices.Contains(k.owners, node) }
