package lattice

import (
	"iter"
	"slices"
)

// fieldStore is what a dynamic or-map holds under a field: a store for each
// kind that is alive there, ascending by kind. There is one, unless two
// nodes created the field with different kinds at the same time.
//
// Kinds that are causal themselves keep their dots in the or-map's one
// context, so that dropping the field ends them dot by dot (a map is an or-map
// without drops here). Of the others each writer keeps one contribution under a dot.
type fieldStore []kindStore

type kindStore struct {
	kind  Kind
	store innerStore
}

// innerStore is a dotStore of any type. Both operands are of the same type.
type innerStore interface {
	join(other innerStore, own, theirs *CausalContext) (innerStore, bool)
	atMost(other innerStore, own *CausalContext) bool
	live() iter.Seq[Dot]
	empty() bool
	has(dot Dot) bool
	clone() innerStore
	size() int
	appendTo(dst []byte) []byte
}

// inner makes an innerStore of a dotStore.
type inner[S dotStore[S]] struct{ s S }

func (i inner[S]) join(other innerStore, own, theirs *CausalContext) (innerStore, bool) {
	joined, grew := i.s.join(other.(inner[S]).s, own, theirs)
	return inner[S]{joined}, grew
}

func (i inner[S]) atMost(other innerStore, own *CausalContext) bool {
	return i.s.atMost(other.(inner[S]).s, own)
}

func (i inner[S]) live() iter.Seq[Dot]        { return i.s.live() }
func (i inner[S]) empty() bool                { return i.s.empty() }
func (i inner[S]) has(dot Dot) bool           { return i.s.has(dot) }
func (i inner[S]) clone() innerStore          { return inner[S]{i.s.clone()} }
func (i inner[S]) size() int                  { return i.s.size() }
func (i inner[S]) appendTo(dst []byte) []byte { return i.s.appendTo(dst) }

// emptyStore is the store of a kind that holds nothing.
func emptyStore(kind Kind) innerStore {
	switch kind {
	case ORSetKind:
		return inner[*dotMap[string, dotSet]]{}
	case MapKind, ORMapKind:
		return inner[fieldMap]{}
	case MVRegisterKind:
		return inner[dotFun[*content]]{}
	case FlagKind:
		return inner[dotSet]{}
	}
	return inner[dotFun[*nested]]{}
}

// decodeInner reads the store of a kind.
func decodeInner(d *decoder, kind Kind) innerStore {
	switch kind {
	case ORSetKind:
		return inner[*dotMap[string, dotSet]]{decodeDotMap[string](d, decodeDotSet)}
	case MapKind, ORMapKind:
		return inner[fieldMap]{decodeFieldMap(d)}
	case MVRegisterKind:
		return inner[dotFun[*content]]{decodeContents(d)}
	case FlagKind:
		return inner[dotSet]{decodeDotSet(d)}
	}
	return inner[dotFun[*nested]]{decodeDotFun(d, func(d *decoder) *nested {
		n := within(d, decodeNested)
		if d.err == nil && n.kind != kind {
			d.fail("a %s among contributions of %s", n.kind, kind)
		}
		return n
	})}
}

// fieldMap is the store of a whole or-map.
type fieldMap = *dotMap[string, fieldStore]

func decodeFieldMap(d *decoder) fieldMap { return decodeDotMap[string](d, decodeFieldStore) }

// at is the store of kind, empty if there is none.
func (f fieldStore) at(kind Kind) innerStore {
	for _, k := range f {
		if k.kind == kind {
			return k.store
		}
	}
	return emptyStore(kind)
}

// kinds gives the kinds of both, ascending.
func (f fieldStore) kinds(other fieldStore) []Kind {
	var kinds []Kind
	for _, k := range slices.Concat(f, other) {
		kinds = append(kinds, k.kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (f fieldStore) join(other fieldStore, own, theirs *CausalContext) (joined fieldStore, grew bool) {
	for _, kind := range f.kinds(other) {
		store, changed := f.at(kind).join(other.at(kind), own, theirs)
		grew = grew || changed
		if !store.empty() {
			joined = append(joined, kindStore{kind, store})
		}
	}
	return joined, grew
}

func (f fieldStore) atMost(other fieldStore, own *CausalContext) bool {
	for _, k := range other {
		if !f.at(k.kind).atMost(k.store, own) {
			return false
		}
	}
	return true
}

func (f fieldStore) live() iter.Seq[Dot] {
	return func(yield func(Dot) bool) {
		for _, k := range f {
			for dot := range k.store.live() {
				if !yield(dot) {
					return
				}
			}
		}
	}
}

func (f fieldStore) empty() bool { return len(f) == 0 }

func (f fieldStore) has(dot Dot) bool {
	return slices.ContainsFunc(f, func(k kindStore) bool { return k.store.has(dot) })
}

func (f fieldStore) clone() fieldStore {
	out := slices.Clone(f)
	for i := range out {
		out[i].store = out[i].store.clone()
	}
	return out
}

func (f fieldStore) size() int {
	n := 0
	for _, k := range f {
		n += 24 + k.store.size()
	}
	return n
}

func (f fieldStore) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(f)))
	for _, k := range f {
		dst = k.store.appendTo(append(dst, byte(k.kind)))
	}
	return dst
}

func decodeFieldStore(d *decoder) (f fieldStore) {
	if !d.enter() {
		return nil
	}
	defer d.leave()
	for i := range d.count() {
		kind := Kind(d.byte())
		if !kind.Valid() || i > 0 && f[i-1].kind >= kind {
			d.fail("%s is no kind, or not greater than the one before it", kind)
			return nil
		}
		store := decodeInner(d, kind)
		if d.err == nil && store.empty() {
			d.fail("a %s without a dot", kind)
		}
		if d.err != nil {
			return nil
		}
		f = append(f, kindStore{kind, store})
	}
	return f
}
