package lattice

// dividedAt is how many elements or fields a collection has before new ones
// go into parts.
const dividedAt = 256

// divider is the writer of the one dot by which an or-set or or-map tells
// that it is divided. It is no store's name.
const divider = "\x00divided"

var dividedDot = Dot{Writer: divider, Seq: 1}

// Divided reports whether parts may hold more of the collection than v does.
// It stays so, even when elements go: a set or map tells by its length, an
// or-set or or-map by what Dividing has merged into it.
func (v Value) Divided() bool {
	switch v.kind {
	case SetKind, MapKind:
		return v.Len() >= dividedAt
	case ORSetKind, ORMapKind:
		return v.Context().Contains(dividedDot)
	}
	return false
}

// Dividing gives the delta that makes a collection divided which has grown
// enough; ok is false for one that is divided, or not to be.
func (v Value) Dividing() (delta Value, ok bool) {
	if v.Len() < dividedAt || v.Divided() {
		return Value{}, false
	}
	context := *NewCausalContext(dividedDot)
	switch v.kind {
	case ORSetKind:
		return boxed(v.kind, &ORSet[string]{dotted[*dotMap[string, dotSet]]{context: context}}), true
	case ORMapKind:
		return boxed(v.kind, &object{dotted[fieldMap]{context: context}}), true
	}
	return Value{}, false
}

// Select gives a copy of a collection with only the elements or fields whose
// names are kept. It is for reading: merged into the whole it may take others away.
func (v Value) Select(keep func(name string) bool) Value {
	switch state := v.state.(type) {
	case box[*Set[string]]:
		return boxed(v.kind, state.l.Project(keep))
	case box[*valueMap]:
		return boxed(v.kind, state.l.Project(keep))
	case box[*ORSet[string]]:
		return boxed(v.kind, &ORSet[string]{selecting(&state.l.dotted, keep)})
	case box[*object]:
		return boxed(v.kind, &object{selecting(&state.l.dotted, keep)})
	}
	return v.Clone()
}

// selecting copies the entries of some keys, and the context whole.
func selecting[S dotStore[S]](d *dotted[*dotMap[string, S]], keep func(string) bool) dotted[*dotMap[string, S]] {
	kept := &dotMap[string, S]{entries: map[string]S{}}
	if d.store != nil {
		for name, s := range d.store.entries {
			if keep(name) {
				kept.put(name, s.clone(), 0, false)
			}
		}
	}
	return dotted[*dotMap[string, S]]{context: *d.context.Clone(), store: kept}
}
