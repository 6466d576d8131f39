package lattice

// Accumulates reports whether o, applied to a value of the kind once more by
// another replica, may do more than it did the first time: count again, bring
// back what was removed meanwhile, or leave a sibling. Who retries such an
// operation has to find out whether it was applied. All others say the same
// however often they are said; of a last-writer-wins register it is the later
// stamp that a second time gives.
func (o Op) Accumulates(kind Kind) bool {
	if !kind.Accumulates() {
		return false
	}
	switch kind {
	case MapKind:
		put, ok := o.args.(putArgs)
		return !ok || put.op.Accumulates(put.kind)
	case ClockKind:
		return o.verb != VerbObserve
	}
	return true
}

// Accumulates reports whether there are operations on the kind for which
// Op.Accumulates.
func (k Kind) Accumulates() bool {
	switch k {
	case BoolKind, MaxKind, MinKind, SetKind, OrderedSetKind, LWWKind, PriorityKind:
		return false
	}
	return true
}
