package hotkeys

import (
	"cmp"
	"math"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// Rated is a key and its reads per second.
type Rated struct {
	Key  mesh.Key
	Rate float64
}

// Top gives the counted keys, those with the highest rate first.
func (c *counter) Top() []Rated {
	top := make([]Rated, 0, len(c.slots))
	for _, s := range c.slots {
		top = append(top, Rated{s.key, c.rate(s)})
	}
	slices.SortFunc(top, func(a, b Rated) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Key.Path(), b.Key.Path()))
	})
	return top
}

// hot gives the first of top, the counted keys by falling rate, that stand out: their rate is
// above the mean by more than so many standard deviations, and at least least.
//
// Mean and deviation are of bound keys, of which those that are not in top
// have a rate of 0. Of n values none is more than (n-1)/√n deviations above
// their mean, so that over only the keys that are read, a node with one popular key,
// or with ten, would never find one hot. With this, up to a tenth of bound
// keys can be hot at once, at 3 deviations; when more are read alike, no key stands out.
func hot(top []Rated, bound int, deviations, least float64) []Rated {
	var sum, squares float64
	for _, r := range top {
		sum += r.Rate
		squares += r.Rate * r.Rate
	}
	mean := sum / float64(bound)
	deviation := math.Sqrt(max(0, squares/float64(bound)-mean*mean))
	above := mean + deviations*deviation
	n := 0
	for n < len(top) && top[n].Rate > above && top[n].Rate >= least {
		n++
	}
	return top[:n]
}
