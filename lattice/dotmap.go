package lattice

import (
	"iter"
	"slices"
)

// dotMap is a map of stores: elements or fields, none of them empty. It finds
// what a small delta kills by an index from dots to keys, which is built when
// first needed and dropped by merges as large as the map itself.
type dotMap[K Element, S dotStore[S]] struct {
	entries map[K]S
	index   map[Dot]K
	bytes   int
}

// entrySize is the memory of a map's slot beyond its key and value, with its share of the index.
const entrySize = 64

func (m *dotMap[K, S]) at(key K) (s S) {
	if m != nil {
		s = m.entries[key]
	}
	return s
}

func (m *dotMap[K, S]) len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// put sets the store at key, or removes the key if s is empty, keeping count of bytes.
func (m *dotMap[K, S]) put(key K, s S, sizeBefore int, existed bool) {
	if s.empty() {
		if existed {
			delete(m.entries, key)
			m.bytes -= entrySize + orderedSize(key) + sizeBefore
		}
		return
	}
	if !existed {
		m.bytes += entrySize + orderedSize(key)
	}
	m.bytes += s.size() - sizeBefore
	m.entries[key] = s
}

func (m *dotMap[K, S]) join(other *dotMap[K, S], own, theirs *CausalContext) (*dotMap[K, S], bool) {
	if m == nil {
		m = &dotMap[K, S]{}
	}
	if m.entries == nil {
		m.entries = map[K]S{}
	}
	if theirs.Count() >= uint64(len(m.entries)) {
		grew := m.joinKeys(other, own, theirs)
		return m, m.buryAll(other, own, theirs) || grew
	}
	suspects := m.suspects(other, own, theirs)
	grew := m.joinKeys(other, own, theirs)
	return m, m.bury(suspects, other, own, theirs) || grew
}

// joinKeys joins what other holds.
func (m *dotMap[K, S]) joinKeys(other *dotMap[K, S], own, theirs *CausalContext) (grew bool) {
	if other == nil {
		return false
	}
	for key, s := range other.entries {
		grew = m.joinAt(key, s, own, theirs) || grew
	}
	return grew
}

// joinAt joins one key; s is the zero store where the other side has nothing.
func (m *dotMap[K, S]) joinAt(key K, s S, own, theirs *CausalContext) bool {
	mine, existed := m.entries[key]
	before := 0
	if existed {
		before = mine.size()
	}
	joined, grew := mine.join(s, own, theirs)
	m.put(key, joined, before, existed)
	if m.index != nil {
		for dot := range s.live() {
			if !own.Contains(dot) {
				m.index[dot] = key
			}
		}
	}
	return grew
}

// buryAll ends what theirs has seen and other lacks, by looking at every key.
func (m *dotMap[K, S]) buryAll(other *dotMap[K, S], own, theirs *CausalContext) (grew bool) {
	m.index = nil
	var none S
	for key := range m.entries {
		if !other.contains(key) {
			grew = m.joinAt(key, none, own, theirs) || grew
		}
	}
	return grew
}

// suspects are the dots of theirs that may live in m under keys that other
// lacks. It is called before other's keys are joined.
func (m *dotMap[K, S]) suspects(other *dotMap[K, S], own, theirs *CausalContext) (dots []Dot) {
	for dot := range theirs.Dots() {
		if own.Contains(dot) && !m.hasAmong(other, dot) {
			dots = append(dots, dot)
		}
	}
	return dots
}

// fewKeys is how many keys are worth a look to spare the index.
const fewKeys = 4

// hasAmong reports whether dot is known to live under a key of other; it looks
// only where that is cheap and there is no index that must hear of every dot.
func (m *dotMap[K, S]) hasAmong(other *dotMap[K, S], dot Dot) bool {
	if m.index != nil || other.len() > fewKeys {
		return false
	}
	for key := range other.keys() {
		if s, has := m.entries[key]; has && s.has(dot) {
			return true
		}
	}
	return false
}

// bury ends the suspects that live under keys that other lacks.
func (m *dotMap[K, S]) bury(suspects []Dot, other *dotMap[K, S], own, theirs *CausalContext) (grew bool) {
	var none S
	for _, dot := range suspects {
		key, found := m.find(dot)
		if !found {
			continue
		}
		if !other.contains(key) {
			grew = m.joinAt(key, none, own, theirs) || grew
		}
		if s, exists := m.entries[key]; !exists || !s.has(dot) {
			delete(m.index, dot)
		}
	}
	return grew
}

// find gives the key under which dot lives.
func (m *dotMap[K, S]) find(dot Dot) (key K, found bool) {
	if m == nil {
		return key, false
	}
	if m.index == nil {
		m.index = make(map[Dot]K, len(m.entries))
		for key, s := range m.entries {
			for dot := range s.live() {
				m.index[dot] = key
			}
		}
	}
	key, found = m.index[dot]
	return key, found
}

func (m *dotMap[K, S]) contains(key K) bool {
	if m == nil {
		return false
	}
	_, has := m.entries[key]
	return has
}

func (m *dotMap[K, S]) atMost(other *dotMap[K, S], own *CausalContext) bool {
	if other == nil {
		return true
	}
	for key, s := range other.entries {
		if !m.at(key).atMost(s, own) {
			return false
		}
	}
	return true
}

func (m *dotMap[K, S]) live() iter.Seq[Dot] {
	return func(yield func(Dot) bool) {
		if m == nil {
			return
		}
		for _, s := range m.entries {
			for dot := range s.live() {
				if !yield(dot) {
					return
				}
			}
		}
	}
}

func (m *dotMap[K, S]) empty() bool { return m.len() == 0 }

func (m *dotMap[K, S]) has(dot Dot) bool {
	_, found := m.find(dot)
	return found
}

// keys gives the keys in no order.
func (m *dotMap[K, S]) keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		if m == nil {
			return
		}
		for key := range m.entries {
			if !yield(key) {
				return
			}
		}
	}
}

func (m *dotMap[K, S]) sortedKeys() []K { return slices.Sorted(m.keys()) }

func (m *dotMap[K, S]) clone() *dotMap[K, S] {
	if m == nil {
		return nil
	}
	out := &dotMap[K, S]{entries: make(map[K]S, len(m.entries)), bytes: m.bytes}
	for key, s := range m.entries {
		out.entries[key] = s.clone()
	}
	return out
}

func (m *dotMap[K, S]) size() int {
	if m == nil {
		return 0
	}
	return m.bytes
}

func (m *dotMap[K, S]) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(m.len()))
	for _, key := range m.sortedKeys() {
		dst = m.entries[key].appendTo(appendOrdered(dst, key))
	}
	return dst
}

func decodeDotMap[K Element, S dotStore[S]](d *decoder, decodeStore func(*decoder) S) *dotMap[K, S] {
	m := &dotMap[K, S]{entries: map[K]S{}}
	var previous K
	for i := range d.count() {
		key := decodeOrdered[K](d)
		if !ascending(d, i, previous, key) {
			return m
		}
		s := decodeStore(d)
		if d.err == nil && s.empty() {
			d.fail("an entry without a dot")
		}
		if d.err != nil {
			return m
		}
		m.put(key, s, 0, false)
		previous = key
	}
	return m
}
