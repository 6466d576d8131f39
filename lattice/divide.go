package lattice

// Divisible reports whether a value of the kind may be held as many values of
// that kind, each with some of the elements or fields, so that it costs the
// element to change it. The whole is what the parts merge to, if each part
// gives out dots under writers of its own.
func (k Kind) Divisible() bool {
	switch k {
	case SetKind, MapKind, ORSetKind, ORMapKind:
		return true
	}
	return false
}

// Divide splits an operation on a divisible kind into one for each part that
// it concerns, as partOf says for the names of elements and fields. Applied
// each to its part they do what o does to the whole. ok is false for a verb
// that concerns no element or field.
func (o Op) Divide(partOf func(name string) uint16) (byPart map[uint16]Op, ok bool) {
	switch a := o.args.(type) {
	case elementArgs:
		groups := map[uint16]elementArgs{}
		for _, e := range a { // in order, so that each group is in order
			groups[partOf(e)] = append(groups[partOf(e)], e)
		}
		byPart = make(map[uint16]Op, len(groups))
		for part, elements := range groups {
			byPart[part] = Op{o.verb, elements}
		}
		return byPart, true
	case putArgs:
		return map[uint16]Op{partOf(a.field): o}, true
	case dropArgs:
		return map[uint16]Op{partOf(string(a)): o}, true
	}
	return nil, false
}

// Among divides an operation on a divisible kind into one for the elements or
// fields that v holds, and one for the others; ok says whether there is each.
func (o Op) Among(v Value) (held, others Op, anyHeld, anyOther bool) {
	const here, elsewhere = 0, 1
	byPart, _ := o.Divide(func(name string) uint16 {
		if v.Has(name) {
			return here
		}
		return elsewhere
	})
	held, anyHeld = byPart[here]
	others, anyOther = byPart[elsewhere]
	return held, others, anyHeld, anyOther
}

// Has reports whether a set of any kind holds an element of this name, or a
// map of any kind a field.
func (v Value) Has(name string) bool {
	if set := v.collection(); set != nil {
		return set.Contains(name)
	}
	_, has := v.Field(name)
	return has
}
