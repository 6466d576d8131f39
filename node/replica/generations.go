package replica

import "time"

// generations remember what was noted last, in two generations: when the
// younger is full the older is forgotten. It has no clock and no lock.
type generations[K comparable, V any] struct {
	bound      int // of a generation
	young, old map[K]V
	since      time.Time // nothing that came later is forgotten
	youngSince time.Time
}

// newGenerations remember up to bound values, and at least half of that, beginning now.
func newGenerations[K comparable, V any](bound int, now time.Time) generations[K, V] {
	return generations[K, V]{bound: max(1, bound/2), young: make(map[K]V), old: make(map[K]V), since: now, youngSince: now}
}

func (g *generations[K, V]) recall(k K) (v V, ok bool) {
	if v, ok = g.young[k]; !ok {
		v, ok = g.old[k]
	}
	return v, ok
}

func (g *generations[K, V]) remember(k K, v V, now time.Time) {
	if _, young := g.young[k]; !young && len(g.young) >= g.bound {
		g.old, g.young = g.young, g.old
		clear(g.young)
		g.since, g.youngSince = g.youngSince, now
	}
	g.young[k] = v
}
