package lattice

// ledger is what a counter knows of the writes that its totals include: which
// of them may have been counted by more than one writer, and how much was.
//
// A writer that counts a write with an id adds a record of it. Where another
// writer counts the same write, because it is made again and the first has it
// alone, both records meet sooner or later, and the value counts the id once.
// The writer of the larger dot then gives its record up for good, by
// raising what of its own total is repeated; nobody removes another's record.
type ledger struct {
	repeated VectorClock // per writer: what of its total another's total counts as well
	dotted[openCounts]
}

func (l *ledger) empty() bool { return l.repeated.Len() == 0 && len(l.context.writers) == 0 }

func (l *ledger) merge(other *ledger) bool {
	raised := l.repeated.Merge(&other.repeated)
	return l.dotted.merge(&other.dotted) || raised
}

// within reports whether other, which may be nil like l, holds all of l.
func (l *ledger) within(other *ledger) bool {
	switch {
	case l == nil:
		return true
	case other == nil:
		return l.empty()
	}
	return l.repeated.within(&other.repeated) && l.dotted.atMost(&other.dotted)
}

func (l *ledger) clone() *ledger {
	if l == nil {
		return nil
	}
	return &ledger{repeated: *l.repeated.Clone(), dotted: l.dotted.clone()}
}

func (l *ledger) size() int {
	if l == nil {
		return 0
	}
	return 40 + l.repeated.Size() + l.dotted.size()
}

// knows reports whether a record tells of the write with an id.
func (l *ledger) knows(id WriteID) bool {
	return l != nil && !id.IsZero() && l.store.knows(id)
}

// appendTo appends a byte that says whether there is a ledger, and what it has
// for each of the writers of totals, among whom all its writers are.
func (l *ledger) appendTo(dst []byte, totals *VectorClock) []byte {
	dst = appendBool(dst, l != nil)
	if l == nil {
		return dst
	}
	for _, e := range totals.entries {
		dst = appendUvarint(dst, l.repeated.At(e.writer))
		dst = appendSpans(dst, l.context.spansOf(e.writer))
		from, to := l.store.of(e.writer)
		dst = appendUvarint(dst, uint64(to-from))
		for _, r := range l.store.records[from:to] {
			dst = r.appendTo(dst)
		}
	}
	return dst
}

// decodeLedger reads the ledger of a counter with totals, if it has one.
func decodeLedger(d *decoder, totals *VectorClock) *ledger {
	if !d.bool() {
		return nil
	}
	l := &ledger{}
	for _, e := range totals.entries {
		if l.decodeWriter(d, e); d.err != nil {
			return nil
		}
	}
	if l.empty() {
		d.fail("a ledger with nothing in it")
	}
	l.store.twice = len(l.store.records)
	l.store.recount()
	return l
}

// decodeWriter reads what there is of one writer.
func (l *ledger) decodeWriter(d *decoder, total clockEntry) {
	repeated := d.uvarint()
	if repeated > total.count {
		d.fail("%d of %d repeated", repeated, total.count)
		return
	}
	l.repeated.raise(total.writer, repeated)
	w := writerSpans{writer: total.writer}
	if n := d.count(); n > 0 {
		if w.spans = d.spans(n); d.err != nil {
			return
		}
		l.context.append(w)
	}
	var previous uint64
	for range d.count() {
		r := openCount{dot: Dot{total.writer, d.uvarint()}, amount: d.uvarint()}
		copy(r.id[:], d.next(len(r.id)))
		switch {
		case d.err != nil:
		case r.dot.Seq <= previous || !w.contains(r.dot.Seq):
			d.fail("record %s was never seen, or is not greater than the one before it", r.dot)
		case r.amount == 0 || r.amount > total.count || r.id.IsZero():
			d.fail("record %s has an amount of %d of %d, or no id", r.dot, r.amount, total.count)
		}
		if d.err != nil {
			return
		}
		l.store.records = append(l.store.records, r)
		previous = r.dot.Seq
	}
}
