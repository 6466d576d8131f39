package replica

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestPartitionsFromSomewhereOnComeInOrderAndOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var set partitionSet
		for range rng.IntN(200) {
			set.add(mesh.Partition(rng.IntN(mesh.Partitions)))
		}
		begin := mesh.Partition(rng.IntN(mesh.Partitions))
		all := slices.Collect(set.all())
		at, _ := slices.BinarySearch(all, begin)
		if got, want := slices.Collect(set.from(begin)), slices.Concat(all[at:], all[:at]); !slices.Equal(got, want) {
			t.Fatalf("from %d on: %v, want %v", begin, got, want)
		}
	}
}
