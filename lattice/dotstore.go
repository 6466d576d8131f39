package lattice

import (
	"iter"
	"slices"
)

// dotStore is what hangs below a causal context: values labelled with the dots
// of the writes that made them. A dot that the context has seen and the store
// does not hold is dead. There are three (Almeida, Shoker and Baquero, 2018): dotSet, dotFun and dotMap.
// The zero S is an empty store.
type dotStore[S any] interface {
	// join gives the store that holds what is alive on both sides, and what
	// one side has and the other has not seen; own and theirs are the contexts
	// before the join. It may change and reuse the receiver, never other. grew
	// reports deaths and growth of values; new dots show in the context too.
	join(other S, own, theirs *CausalContext) (joined S, grew bool)
	// atMost reports whether the receiver, with context own, lacks nothing
	// that other has lost and has nothing that other has not, given that other's context holds own.
	atMost(other S, own *CausalContext) bool
	// live gives the dots in the store.
	live() iter.Seq[Dot]
	// empty reports whether the store holds no dot.
	empty() bool
	// has reports whether dot is in the store.
	has(dot Dot) bool
	clone() S
	// size is the memory held, kept incrementally.
	size() int
	appendTo(dst []byte) []byte
}

// dotted is a store under its context: the state of a causal lattice.
type dotted[S dotStore[S]] struct {
	context CausalContext
	store   S
}

func (d *dotted[S]) merge(other *dotted[S]) bool {
	joined, changed := d.store.join(other.store, &d.context, &other.context)
	d.store = joined
	return d.context.Merge(&other.context) || changed
}

func (d *dotted[S]) compare(other *dotted[S]) Order {
	return orderOf(d.atMost(other), other.atMost(d))
}

func (d *dotted[S]) atMost(other *dotted[S]) bool {
	return d.context.within(&other.context) && d.store.atMost(other.store, &d.context)
}

func (d *dotted[S]) clone() dotted[S] {
	return dotted[S]{context: *d.context.Clone(), store: d.store.clone()}
}

func (d *dotted[S]) size() int { return d.context.Size() + d.store.size() }

func (d *dotted[S]) appendTo(dst []byte) []byte {
	return d.store.appendTo(d.context.AppendBinary(dst))
}

// covering is the context of a delta that replaces the dots of old by fresh ones.
func covering(old iter.Seq[Dot], fresh ...Dot) CausalContext {
	c := NewCausalContext(fresh...)
	for dot := range old {
		c.Add(dot)
	}
	return *c
}

// decodeDotted reads a context and the store that decodeStore reads, whose dots
// must all be in the context, each in one place.
func decodeDotted[S dotStore[S]](d *decoder, decodeStore func(*decoder) S) dotted[S] {
	out := dotted[S]{context: *decodeContext(d)}
	out.store = decodeStore(d)
	if d.err != nil {
		return out
	}
	places := map[Dot]struct{}{}
	for dot := range out.store.live() {
		if _, twice := places[dot]; twice || !out.context.Contains(dot) {
			d.fail("dot %s lives twice, or was never seen", dot)
			break
		}
		places[dot] = struct{}{}
	}
	return out
}

// dotSet is a set of dots, ascending: the store of a flag, and of one element of a set.
type dotSet []Dot

func (s dotSet) join(other dotSet, own, theirs *CausalContext) (joined dotSet, grew bool) {
	joined = s[:0:0]
	for _, dot := range s {
		if other.has(dot) || !theirs.Contains(dot) {
			joined = append(joined, dot)
		}
	}
	grew = len(joined) < len(s)
	for _, dot := range other {
		if !own.Contains(dot) {
			at, _ := slices.BinarySearchFunc(joined, dot, Dot.Compare)
			joined = slices.Insert(joined, at, dot)
			grew = true
		}
	}
	if !grew {
		return s, false
	}
	return joined, true
}

func (s dotSet) atMost(other dotSet, own *CausalContext) bool {
	for _, dot := range other {
		if own.Contains(dot) && !s.has(dot) {
			return false
		}
	}
	return true
}

func (s dotSet) live() iter.Seq[Dot] { return slices.Values(s) }

func (s dotSet) empty() bool { return len(s) == 0 }

func (s dotSet) has(dot Dot) bool {
	_, found := slices.BinarySearchFunc(s, dot, Dot.Compare)
	return found
}

func (s dotSet) clone() dotSet { return slices.Clone(s) }

// dotSize is a dot's share of memory; its writer's name is shared with the context.
const dotSize = 24

func (s dotSet) size() int { return dotSize * len(s) }

func (s dotSet) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(s)))
	for _, dot := range s {
		dst = dot.appendTo(dst)
	}
	return dst
}

func decodeDotSet(d *decoder) dotSet {
	var s dotSet
	for i := range d.count() {
		dot := d.dot()
		if !d.dotAfter(i, s.last(), dot) {
			return nil
		}
		s = append(s, dot)
	}
	return s
}

func (s dotSet) last() Dot {
	if len(s) == 0 {
		return Dot{}
	}
	return s[len(s)-1]
}

// dotAfter reports, and fails unless, a dot follows the one before it.
func (d *decoder) dotAfter(i int, previous, dot Dot) bool {
	if d.err == nil && i > 0 && previous.Compare(dot) >= 0 {
		d.fail("dot %d is not greater than the one before it", i)
	}
	return d.err == nil
}
