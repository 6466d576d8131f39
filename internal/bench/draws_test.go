package bench

import (
	"math"
	"slices"
	"testing"
)

func TestDrawsFollowTheDistribution(t *testing.T) {
	const count, n = 200_000, 50
	for _, s := range []float64{0, 0.5, 1, 4} {
		var seen [n]float64
		for _, i := range Draws(count, n, s, 1) {
			seen[i]++
		}
		sum := 0.0
		for i := range n {
			sum += math.Pow(float64(i+1), -s)
		}
		for i := range n {
			want := count * math.Pow(float64(i+1), -s) / sum
			if off := math.Abs(seen[i] - want); off > 6*math.Sqrt(want)+1 {
				t.Errorf("s = %v: %d was drawn %v times, want about %.0f", s, i, seen[i], want)
			}
		}
	}
	if !slices.Equal(Draws(100, 7, 0.5, 3), Draws(100, 7, 0.5, 3)) {
		t.Error("one seed gave different numbers")
	}
}
