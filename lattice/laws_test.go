package lattice_test

import (
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// TestLawsOfKinds tries the laws on every kind of Value, on what comes about
// when replicas write and exchange deltas at random.
func TestLawsOfKinds(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			for range 3 {
				h := latticetest.NewHistory(kind, 3, rng)
				for _, steps := range []int{6, 12, 60} {
					if err := h.Run(steps); err != nil {
						t.Fatal(err)
					}
					latticetest.Check(t, latticetest.Values(h.Samples(12)...), latticetest.DecodeValue)
				}
				converges(t, h)
			}
		})
	}
}

func converges(t *testing.T, h *latticetest.History) {
	t.Helper()
	if err := h.Converge(); err != nil {
		t.Fatal(err)
	}
	for _, replica := range h.Replicas {
		if got, want := string(replica.AppendBinary(nil)), string(h.Replicas[0].AppendBinary(nil)); got != want {
			t.Fatalf("replicas differ after they exchanged all: %x and %x", got, want)
		}
	}
}
