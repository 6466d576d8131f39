package dht

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// viewOf makes a view of n nodes with random ids. The first is this one.
func viewOf(chance *rand.Rand, n int) *view {
	var peers []livePeer
	for i := range n {
		var raw [38]byte
		for j := range raw {
			raw[j] = byte(chance.Uint32())
		}
		peers = append(peers, livePeer{Peer: Peer{ID: mesh.NodeID(raw[:])}, connection: uint64(i)})
	}
	return newView(peers[0].Peer, peers[1:])
}

// closestByBruteForce is the oracle: sort everyone by the whole distance.
func closestByBruteForce(nodes []mesh.NodeID, target mesh.ID, n int) []mesh.NodeID {
	sorted := slices.Clone(nodes)
	slices.SortFunc(sorted, func(a, b mesh.NodeID) int { return mesh.CompareDistance(target, a.ID(), b.ID()) })
	return sorted[:min(n, len(sorted))]
}

func nodesOf(v *view) []mesh.NodeID {
	var nodes []mesh.NodeID
	for _, p := range v.peers {
		nodes = append(nodes, p.ID)
	}
	return nodes
}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestClosestAgreesWithBruteForce(t *testing.T) {
	chance := seeded(t)
	for _, members := range []int{1, 2, 3, 16, 17, 40} {
		v := viewOf(chance, members)
		for _, n := range []int{0, 1, 3, 16, 17, 100} {
			for range 20 {
				target := mesh.Key{Namespace: "default", Name: fmt.Sprint(chance.Uint64())}.ID()
				want := closestByBruteForce(nodesOf(v), target, n)
				got := v.appendClosest(nil, target, n)
				if !slices.Equal(got, want) {
					t.Fatalf("%d of %d members: got %v, want %v", n, members, got, want)
				}
				self := slices.IndexFunc(v.ids, func(id mesh.ID) bool { return id == v.selfID })
				if owns := slices.Contains(want, v.peers[self].ID); v.owns(target, n) != owns {
					t.Fatalf("%d of %d members: owns is %v, want %v", n, members, !owns, owns)
				}
			}
		}
	}
}

func TestClosestDecidesEqualHeadsByTheRest(t *testing.T) {
	v := viewOf(seeded(t), 3)
	for i := range v.ids {
		v.ids[i] = mesh.ID{31: byte(3 - i)}
		v.heads[i] = 0
	}
	got := v.appendClosest(nil, mesh.ID{}, 2)
	if want := []mesh.NodeID{v.peers[2].ID, v.peers[1].ID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDigestIsOfTheSet(t *testing.T) {
	v := viewOf(seeded(t), 5)
	others := func(order ...int) []livePeer {
		var peers []livePeer
		for _, i := range order {
			peers = append(peers, livePeer{Peer: v.peers[i]})
		}
		return peers
	}
	if v.digest != newView(v.peers[3], others(4, 0, 2, 1)).digest {
		t.Error("the same set, seen by another node, has another digest")
	}
	if v.digest == newView(v.peers[3], others(4, 0, 2)).digest {
		t.Error("a smaller set has the same digest")
	}
}

func TestIndexFindsMembersOnly(t *testing.T) {
	chance := seeded(t)
	v := viewOf(chance, 10)
	for i, p := range v.peers {
		if at, found := v.index(p.ID); !found || at != i {
			t.Errorf("index of member %d: %d, %v", i, at, found)
		}
	}
	if _, found := v.index(viewOf(chance, 1).peers[0].ID); found {
		t.Error("a stranger is in the view")
	}
}

func BenchmarkOwners(b *testing.B) {
	for _, members := range []int{3, 20, 200, 500} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			v := viewOf(seeded(b), members)
			key := mesh.Key{Namespace: "default", Name: "greeting"}
			var buf [3]mesh.NodeID
			b.ReportAllocs()
			for b.Loop() {
				v.appendClosest(buf[:0], key.ID(), 3)
			}
		})
	}
}
