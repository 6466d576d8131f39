package lattice

// object is the dynamic or-map: fields of any kind under one causal context.
type object struct {
	dotted[fieldMap]
}

// Merge unites what is alive.
func (o *object) Merge(other *object) bool { return o.merge(&other.dotted) }

// Compare orders by what has been seen, put and dropped alike.
func (o *object) Compare(other *object) Order { return o.compare(&other.dotted) }

// Clone copies the map and its values.
func (o *object) Clone() *object { return &object{o.clone()} }

// Size is the memory held.
func (o *object) Size() int { return o.size() }

// AppendBinary appends the context, then the fields, ascending.
func (o *object) AppendBinary(dst []byte) []byte { return o.appendTo(dst) }

func decodeObject(d *decoder) *object { return &object{decodeDotted(d, decodeFieldMap)} }

// field gives what is under name. It shares state with o.
func (o *object) field(name string) (v Value, ok bool) {
	kinds := o.store.at(name)
	if len(kinds) == 0 {
		return Value{}, false
	}
	return o.view(kinds[0].kind, kinds[0].store), true
}

// view makes a value of a store under o's context. It shares state with both.
func (o *object) view(kind Kind, store innerStore) Value {
	switch store := store.(type) {
	case inner[*dotMap[string, dotSet]]:
		return boxed(kind, &ORSet[string]{dotted[*dotMap[string, dotSet]]{o.context, store.s}})
	case inner[dotFun[*content]]:
		return boxed(kind, &MVRegister{dotted[dotFun[*content]]{o.context, store.s}})
	case inner[dotSet]:
		return boxed(kind, &Flag{dotted[dotSet]{o.context, store.s}})
	case inner[dotFun[*nested]]:
		if v, ok := store.s.merged(); ok {
			return v.Value
		}
	case inner[fieldMap]:
		within := &object{dotted[fieldMap]{o.context, store.s}}
		if kind == ORMapKind {
			return boxed(kind, within)
		}
		return within.asMap()
	}
	return New(kind)
}

// asMap gives the fields as a map.
func (o *object) asMap() Value {
	m := &valueMap{}
	for name := range o.store.keys() {
		v, _ := o.field(name)
		m.insert(name, &nested{v})
	}
	return boxed(MapKind, m)
}
