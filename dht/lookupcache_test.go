package dht

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

func randomID(chance *rand.Rand) (id mesh.ID) {
	for i := range id {
		id[i] = byte(chance.Uint32())
	}
	return id
}

// What the cache answers is what a new look-up would find.
func TestCachedLookUpsAgreeWithBruteForce(t *testing.T) {
	const listed = 20
	chance := seeded(t)
	now := time.Now()
	for _, members := range []int{1, 5, 20, 300} {
		nodes := nodesOf(viewOf(chance, members))
		cache := &lookupCache{}
		hits := 0
		for range 500 {
			id := randomID(chance)
			want := closestByBruteForce(nodes, id, 3)
			got, hit := cache.get(id, 3, now)
			if !hit {
				cache.put(id, closestByBruteForce(nodes, id, listed), members < listed, now)
				continue
			}
			hits++
			if !slices.Equal(got, want) {
				t.Fatalf("%d members: cached %v, want %v", members, got, want)
			}
		}
		if hits < 400 {
			t.Errorf("%d members: %d of 500 look-ups were answered from the cache", members, hits)
		}
	}
}

func TestCachedLookUpsExpireAndClear(t *testing.T) {
	chance := seeded(t)
	cache, now, id := &lookupCache{}, time.Now(), randomID(chance)
	cache.put(id, nodesOf(viewOf(chance, 3)), true, now)
	if _, hit := cache.get(id, 3, now.Add(lookupTTL)); !hit {
		t.Error("missed within the time to live")
	}
	if _, hit := cache.get(id, 3, now.Add(lookupTTL+1)); hit {
		t.Error("hit after the time to live")
	}
	cache.clear()
	if _, hit := cache.get(id, 3, now); hit {
		t.Error("hit after clear")
	}
}

func TestCacheIsBounded(t *testing.T) {
	chance := seeded(t)
	cache, now := &lookupCache{}, time.Now()
	for range 3 * maxRegions {
		id := randomID(chance)
		cache.put(id, nodesOf(viewOf(chance, 1)), false, now)
	}
	if len(cache.regions) > maxRegions {
		t.Errorf("%d regions, bound %d", len(cache.regions), maxRegions)
	}
}

func TestRegions(t *testing.T) {
	chance := seeded(t)
	for range 200 {
		a, b := randomID(chance), randomID(chance)
		shared := chance.IntN(256)
		copy(b[:], a[:shared/8])
		common := commonBits(a, b)
		if regionOf(a, common) != regionOf(b, common) {
			t.Fatalf("%x and %x: different regions at depth %d", a, b, common)
		}
		if common < 256 && regionOf(a, common+1) == regionOf(b, common+1) {
			t.Fatalf("%x and %x: the same region at depth %d", a, b, common+1)
		}
	}
}
