package bench

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Draws are so many numbers below n, drawn beforehand, so that a load does not
// pay for the drawing: number i with a probability that goes with (i+1)^-s,
// which is the Zipf distribution, and uniform for an s of 0. A seed gives the
// same numbers each time.
func Draws(count, n int, s float64, seed uint64) []uint32 {
	chance := rand.New(rand.NewPCG(seed, 0))
	draws := make([]uint32, count)
	if s == 0 {
		for i := range draws {
			draws[i] = uint32(chance.IntN(n))
		}
		return draws
	}
	sums := make([]float64, n) // of the weights up to each number
	sum := 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -s)
		sums[i] = sum
	}
	for i := range draws {
		at, _ := slices.BinarySearch(sums, chance.Float64()*sum)
		draws[i] = uint32(min(at, n-1))
	}
	return draws
}
