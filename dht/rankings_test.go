package dht

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestRankingsAgreeWithBruteForce(t *testing.T) {
	chance := seeded(t)
	for _, members := range []int{1, 2, 3, 16, 17, 40} {
		r := &rankings{set: randomNodes(chance, members)}
		r.self = r.set.nodes[chance.IntN(members)]
		for range 100 {
			p := mesh.Partition(chance.IntN(mesh.Partitions))
			for _, n := range []int{0, 1, 3, 16, 17, 100} {
				want := closestByBruteForce(r.set.nodes, p.ID(), n)
				if got := r.first(p, n); !slices.Equal(got, want) {
					t.Fatalf("%d of %d members: got %v, want %v", n, members, got, want)
				}
				if owns := slices.Contains(want, r.self); r.selfAmong(p, n) != owns {
					t.Fatalf("%d of %d members: self among them is %v, want %v", n, members, !owns, owns)
				}
			}
		}
	}
}

func TestWhoIsNotOfTheSetIsNeverAmongTheClosest(t *testing.T) {
	r := &rankings{set: randomNodes(seeded(t), 2), self: "another"}
	for _, n := range []int{1, 2, 16, 17} {
		if r.selfAmong(0, n) {
			t.Errorf("among the first %d", n)
		}
	}
}

// A caller that appends must not write over what others see.
func TestARankingHasNoRoomToAppendTo(t *testing.T) {
	r := &rankings{set: randomNodes(seeded(t), 5)}
	want := slices.Clone(r.first(7, 5))
	_ = append(r.first(7, 2), "intruder")
	if got := r.first(7, 5); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRankingsAreMadeByManyAtOnce(t *testing.T) {
	r := &rankings{set: randomNodes(seeded(t), 20)}
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for p := range mesh.Partition(200) {
				if got, want := r.first(p, 3), closestByBruteForce(r.set.nodes, p.ID(), 3); !slices.Equal(got, want) {
					t.Errorf("partition %s: got %v, want %v", p, got, want)
				}
			}
		})
	}
	asking.Wait()
}

func BenchmarkOwners(b *testing.B) {
	for _, members := range []int{3, 20, 200, 500} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			r := &rankings{set: randomNodes(rand.New(rand.NewPCG(1, 1)), members)}
			key := mesh.Key{Namespace: "default", Name: "greeting"}
			b.ReportAllocs()
			for b.Loop() {
				r.first(key.Partition(), 3)
			}
		})
	}
}

func BenchmarkPartitionOwners(b *testing.B) {
	for _, members := range []int{3, 500} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			r := &rankings{set: randomNodes(rand.New(rand.NewPCG(1, 1)), members)}
			b.ReportAllocs()
			for b.Loop() {
				r.first(7, 3)
			}
		})
	}
}

func BenchmarkOwns(b *testing.B) {
	r := &rankings{set: randomNodes(rand.New(rand.NewPCG(1, 1)), 20)}
	r.self = r.set.nodes[0]
	key := mesh.Key{Namespace: "default", Name: "greeting"}
	b.ReportAllocs()
	for b.Loop() {
		r.selfAmong(key.Partition(), 3)
	}
}
