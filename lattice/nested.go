package lattice

// nested is a Value within another, as a static Lattice: merging cannot fail,
// because Value.Merge looks for mismatches before it begins.
type nested struct {
	Value
}

// Merge merges in place; it panics on a mismatch, which the caller has ruled out.
func (n *nested) Merge(other *nested) bool {
	grew, err := n.Value.Merge(other.Value)
	if err != nil {
		panic("lattice: unchecked merge: " + err.Error())
	}
	return grew
}

// Compare orders the values.
func (n *nested) Compare(other *nested) Order { return n.Value.Compare(other.Value) }

// Clone copies the value.
func (n *nested) Clone() *nested { return &nested{n.Value.Clone()} }

func decodeNested(d *decoder) *nested { return &nested{decodeValue(d)} }

// valueMap is the dynamic map.
type valueMap = Map[string, *nested]

func decodeValueMap(d *decoder) *valueMap {
	return decodeMap[string](d, func(d *decoder) *nested { return within(d, decodeNested) })
}

// fieldsFit tells whether each field of delta can be merged into the field of have.
func fieldsFit(have, delta *valueMap) error {
	for name, theirs := range delta.entries {
		ours, has := have.entries[name]
		if !has {
			continue
		}
		if err := ours.fits(theirs.Value); err != nil {
			return inField(name, err)
		}
	}
	return nil
}
