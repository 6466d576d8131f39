package hotkeys

import (
	"cmp"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// raising decides, at the primary of keys, how many extra readers each is
// worth. It has no I/O and no clock: rates and the time are told to it.
//
// A key gets its first extra reader when a node finds it hot, and then one
// for each Rate of reads per second that all nodes together tell. More load is answered
// at once; less only when it has lasted for Grace, with the most that was wanted meanwhile.
type raising struct {
	rate  float64       // reads per second that are worth one extra reader
	most  int           // extra readers of a key
	fresh time.Duration // how long a report counts
	grace time.Duration
	bound int // of keys
	keys  map[mesh.Key]*load
}

// load is what is known of one key.
type load struct {
	reports map[mesh.NodeID]report
	extra   int
	low     bool      // fewer readers are wanted than there are
	since   time.Time // then: since when
	peak    int       // then: the most that was wanted since
}

// report is what one node reads of a key.
type report struct {
	rate float64
	at   time.Time
}

// word says how many extra readers a key has from now on.
type word struct {
	key   mesh.Key
	extra int
}

func newRaising(o Options) *raising {
	return &raising{
		rate: o.Rate, most: o.MaxExtra, fresh: reportsCount * o.Period, grace: o.Grace, bound: o.Counted,
		keys: make(map[mesh.Key]*load),
	}
}

// Report tells that a node, which finds a key hot or knows that it has extra
// readers, reads it so often per second.
func (r *raising) Report(node mesh.NodeID, key mesh.Key, rate float64, now time.Time) {
	l := r.keys[key]
	if l == nil {
		if len(r.keys) >= r.bound {
			return
		}
		l = &load{reports: make(map[mesh.NodeID]report)}
		r.keys[key] = l
	}
	l.reports[node] = report{rate: rate, at: now}
}

// Forget drops a key of which this node is not the primary any more. Who is
// now hears the same reports.
func (r *raising) Forget(key mesh.Key) { delete(r.keys, key) }

// Keys lists the keys that are known, in order.
func (r *raising) Keys() []mesh.Key {
	keys := make([]mesh.Key, 0, len(r.keys))
	for key := range r.keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b mesh.Key) int { return cmp.Compare(a.Path(), b.Path()) })
	return keys
}

// Raised gives the keys that have extra readers, in order.
func (r *raising) Raised() (all []word) {
	for _, key := range r.Keys() {
		if extra := r.keys[key].extra; extra > 0 {
			all = append(all, word{key, extra})
		}
	}
	return all
}

// Tick decides, and gives what changed, in the order of the keys.
func (r *raising) Tick(now time.Time) (changes []word) {
	for _, key := range r.Keys() {
		l := r.keys[key]
		before := l.extra
		l.settle(r.wanted(l, now), now, r.grace)
		if l.extra != before {
			changes = append(changes, word{key, l.extra})
		}
		if l.extra == 0 && len(l.reports) == 0 {
			delete(r.keys, key)
		}
	}
	return changes
}

// wanted is how many extra readers the load is worth now. A key keeps its
// last one down to half of the load that was worth the first.
func (r *raising) wanted(l *load, now time.Time) int {
	total := 0.0
	for node, report := range l.reports {
		if now.Sub(report.at) > r.fresh {
			delete(l.reports, node)
			continue
		}
		total += report.rate
	}
	switch {
	case l.extra == 0 && total < r.rate, total < r.rate/2:
		return 0
	}
	return min(max(1, int(total/r.rate)), r.most)
}

// settle brings the number of extra readers to what is wanted.
func (l *load) settle(wanted int, now time.Time, grace time.Duration) {
	switch {
	case wanted >= l.extra:
		l.extra, l.low = wanted, false
	case !l.low:
		l.low, l.since, l.peak = true, now, wanted
	default:
		l.peak = max(l.peak, wanted)
		if now.Sub(l.since) >= grace {
			l.extra, l.low = l.peak, false
		}
	}
}
