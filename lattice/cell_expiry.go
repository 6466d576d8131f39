package lattice

import "time"

// WithExpiry is the cell with an expiry in place of its own; the zero Expiry
// takes it away. A delta that extends or lifts an expiry is a cell with the
// reset of the state that it was made from, an expiry, and no value.
func (c Cell) WithExpiry(e Expiry) Cell {
	f := frame{reset: c.reset(), causes: c.causes()}
	if !e.IsZero() {
		f.expiry = &e
	}
	return framed(c.value, f)
}

// Expiry is the expiry that was set last, zero if none was. It may be out of
// force: see ExpiresAt.
func (c Cell) Expiry() Expiry {
	if e := c.expiry(); e != nil {
		return *e
	}
	return Expiry{}
}

// ExpiresAt is when the cell expires; ok is false if it does not. An lww that
// was written after the expiry was set does not: a write without a TTL lifts
// it, without knowing of it.
func (c Cell) ExpiresAt() (until time.Time, ok bool) {
	e := c.expiry()
	if e == nil || c.value.Stamp().After(e.At) {
		return time.Time{}, false
	}
	return e.Time()
}

// Expired reports whether the cell has expired by a wall clock, such as
// time.Now, which is asked only if the cell expires at all.
func (c Cell) Expired(now func() time.Time) bool { return c.expiry() != nil && c.expiredBy(now()) }

func (c Cell) expiredBy(now time.Time) bool {
	until, ok := c.ExpiresAt()
	return ok && !now.Before(until)
}

// Expire gives the delta that deletes the cell for having expired: a reset at
// the moment of expiry, the same at all replicas whenever they make it. So a
// write that was made of the expired cell, anew, outlives it.
func (c Cell) Expire() (delta Cell) {
	e := c.Expiry()
	at := Stamp{Time: max(e.Until<<logicalBits, e.At.Time+1, c.reset().Time+1)}
	return newCell(at, Value{}, nil)
}

// ResetByExpiry reports whether the last deletion was an expiry.
func (c Cell) ResetByExpiry() bool { return c.reset().Node == "" && c.reset().Time > 0 }

// expiryOf is the expiry in the delta of an operation, nil for none. A plain
// set of an lww needs none: it lifts the expiry by being later.
func (c Cell) expiryOf(op Op, at Write) *Expiry {
	if at.TTL > 0 {
		e := ExpiryAfter(at.TTL, at.Now, at.Stamp)
		return &e
	}
	if _, expires := c.ExpiresAt(); expires && op.verb == VerbSet && c.value.kind != LWWKind {
		return &Expiry{At: at.Stamp}
	}
	return nil
}

func compareExpiries(a, b *Expiry) int {
	switch {
	case b == nil && a == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}
