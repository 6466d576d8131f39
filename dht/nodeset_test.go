package dht

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// randomNodes makes a set of n nodes with random ids.
func randomNodes(chance *rand.Rand, n int) nodeSet {
	var s nodeSet
	for range n {
		id := randomNode(chance)
		s.add(id, id.ID())
	}
	return s
}

func randomNode(chance *rand.Rand) mesh.NodeID {
	var raw [38]byte
	for i := range raw {
		raw[i] = byte(chance.Uint32())
	}
	return mesh.NodeID(raw[:])
}

// closestByBruteForce is the oracle: sort everyone by the whole distance.
func closestByBruteForce(nodes []mesh.NodeID, target mesh.ID, n int) []mesh.NodeID {
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b mesh.NodeID) int { return mesh.CompareDistance(target, a.ID(), b.ID()) })
	return sorted[:min(n, len(sorted))]
}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestClosestAgreesWithBruteForce(t *testing.T) {
	chance := seeded(t)
	for _, members := range []int{1, 2, 3, 16, 17, 40} {
		s := randomNodes(chance, members)
		for _, n := range []int{0, 1, 3, 16, 17, 100} {
			for range 20 {
				target := mesh.Key{Namespace: "default", Name: fmt.Sprint(chance.Uint64())}.ID()
				want := closestByBruteForce(s.nodes, target, n)
				if got := s.appendClosest(nil, target, n); !slices.Equal(got, want) {
					t.Fatalf("%d of %d members: got %v, want %v", n, members, got, want)
				}
			}
		}
	}
}

func TestClosestDecidesEqualHeadsByTheRest(t *testing.T) {
	s := randomNodes(seeded(t), 3)
	for i := range s.ids {
		s.ids[i] = mesh.ID{31: byte(3 - i)}
		s.heads[i] = 0
	}
	got := s.appendClosest(nil, mesh.ID{}, 2)
	if want := []mesh.NodeID{s.nodes[2], s.nodes[1]}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
