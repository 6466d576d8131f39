package lattice

// Bounds of the records that a writer keeps in one counter, of writes of which
// it is not known that all would find them.
const (
	maxOpenCounts    = 1024 // of which the writer knows that they fell short, or are under way
	maxUnknownCounts = 16   // of which it knows nothing any more
)

// counting is the delta of an increment. A write of which a record tells is
// counted already: then the delta is all that there is, for others to know it, too.
func (g *GCounter) counting(at Write, n uint64) (*GCounter, error) {
	if g.ledger.knows(at.ID) {
		return g.Clone(), nil
	}
	delta, err := g.inc(at.Writer, n)
	if err != nil {
		return nil, err
	}
	change := &ledger{}
	if g.ledger != nil {
		if err := g.ledger.context.hasNext(at.Writer, 1); err != nil {
			return nil, err
		}
		g.ledger.settle(at, g.totals.At(at.Writer)+n, change)
	}
	if !at.ID.IsZero() && n > 0 {
		change.enter(g.ledger, at, n)
	}
	if !change.empty() {
		delta.totals.raise(at.Writer, g.totals.At(at.Writer)+n)
		delta.ledger = change
	}
	return delta, nil
}

// enter adds to the change of a ledger, which may be nil, the record of an
// increment. A sequence number that is skipped is one that no record has.
func (l *ledger) enter(before *ledger, at Write, n uint64) {
	var highest uint64
	if before != nil {
		highest = before.context.Highest(at.Writer)
	}
	dot := Dot{at.Writer, max(highest+1, at.least)}
	l.context.addSpan(at.Writer, span{highest + 1, dot.Seq})
	l.store.add(openCount{dot: dot, id: at.ID, amount: n})
}

// settle makes the change that removes those of the writer's own records that
// have served: those of writes that are firm; those whose write a smaller dot
// counts as well, which are repeated from now on; and beyond the bounds the oldest.
// total is the writer's after the write.
func (l *ledger) settle(at Write, total uint64, change *ledger) {
	from, to := l.store.of(at.Writer)
	repeated, open, unknown := l.repeated.At(at.Writer), 0, 0
	kept := make([]uint64, 0, to-from) // descending
	for i := to - 1; i >= from; i-- {
		r := l.store.records[i]
		first, met := l.meets(i)
		switch {
		case met && !first:
			repeated = saturatingAdd(repeated, r.amount)
			change.context.Add(r.dot)
		case !met && at.discards(r.id, &open, &unknown):
			change.context.Add(r.dot)
		default:
			kept = append(kept, r.dot.Seq)
		}
	}
	if repeated > l.repeated.At(at.Writer) { // told with all that it comes from, for deltas overtake one another
		change.repeated.raise(at.Writer, min(repeated, total))
		change.context.addAllBut(at.Writer, l.context.spansOf(at.Writer), kept)
	}
}

// meets reports whether another record has the id of the i-th, and whether the i-th has the smallest dot of these.
func (l *ledger) meets(i int) (first, met bool) {
	if l.store.twice == 0 {
		return true, false
	}
	id := l.store.records[i].id
	for j, r := range l.store.records {
		if j != i && r.id == id {
			return j > i, true
		}
	}
	return true, false
}

// discards reports whether the record of a write of the writer's own, that no
// other record has met, has served: newer ones first.
func (w Write) discards(id WriteID, open, unknown *int) bool {
	fate := FateUnknown
	if w.Fate != nil {
		fate = w.Fate(id)
	}
	switch fate {
	case FateFirm:
		return true
	case FateOpen:
		*open++
		return *open > maxOpenCounts
	}
	*unknown++
	return *unknown > maxUnknownCounts
}

// addAllBut adds the dots of a writer in spans, but for those kept, which are descending.
func (c *CausalContext) addAllBut(writer string, spans []span, kept []uint64) {
	for _, s := range spans {
		for len(kept) > 0 && kept[len(kept)-1] <= s.hi {
			seq := kept[len(kept)-1]
			if kept = kept[:len(kept)-1]; seq > s.lo {
				c.addSpan(writer, span{s.lo, seq - 1})
			}
			s.lo = seq + 1
		}
		if s.lo > 0 && s.lo <= s.hi {
			c.addSpan(writer, s)
		}
	}
}

// Counted reports whether a counter, or one in a field of a map or or-map, has
// a record of a write: then it was counted. Without one it may have been all the same.
func (v Value) Counted(id WriteID) bool {
	switch state := v.state.(type) {
	case box[*GCounter]:
		return state.l.ledger.knows(id)
	case box[*PNCounter]:
		return state.l.up.ledger.knows(id) || state.l.down.ledger.knows(id)
	}
	for _, field := range v.Fields() { // of other kinds there are none
		if field.Counted(id) {
			return true
		}
	}
	return false
}
