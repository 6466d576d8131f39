package lattice

import (
	"cmp"
	"fmt"
	"math/bits"
	"time"
)

// Expiry says until when a cell is kept. It is a register of its own beside
// the cell's value: the one that was set last wins, and among those of one
// stamp the later time, and for ever over all. The zero Expiry was never set.
type Expiry struct {
	At    Stamp  // when it was set
	Until uint64 // milliseconds of the Unix epoch, at most MaxExpiry; 0: kept for ever
}

// MaxExpiry is the latest Until, in the year 10889: as far as stamps reach.
const MaxExpiry = 1<<(64-logicalBits) - 1

// ExpiryAfter is the expiry of what is kept for ttl from now on, to the
// millisecond and at least one, as set at the stamp.
func ExpiryAfter(ttl time.Duration, now time.Time, at Stamp) Expiry {
	until := now.Add(max(ttl, time.Millisecond)).UnixMilli()
	return Expiry{At: at, Until: uint64(min(max(until, 1), MaxExpiry))}
}

// IsZero reports whether e was never set.
func (e Expiry) IsZero() bool { return e == Expiry{} }

// Compare gives -1, 0 or 1, by when they were set and then by Until.
func (e Expiry) Compare(f Expiry) int {
	return cmp.Or(e.At.Compare(f.At), cmp.Compare(e.Until-1, f.Until-1)) // for ever is the latest
}

// Time is when the cell expires; ok is false if it is kept for ever.
func (e Expiry) Time() (until time.Time, ok bool) {
	if e.Until == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(e.Until)).UTC(), true
}

// String is for people.
func (e Expiry) String() string {
	until, ok := e.Time()
	if !ok {
		return "for ever, since " + e.At.String()
	}
	return fmt.Sprintf("until %s, since %s", until.Format("2006-01-02T15:04:05.000Z"), e.At)
}

func (e Expiry) size() int { return e.At.size() + 8 }

// expiryMark stands where the kind of a value is expected when an expiry
// comes before it. No kind has the number.
const expiryMark = 255

func (e Expiry) appendTo(dst []byte) []byte {
	return appendUvarint(e.At.appendTo(append(dst, expiryMark)), e.Until)
}

// expiry reads what appendTo writes, or nothing if that is not there.
func (d *decoder) expiry() *Expiry {
	if len(d.in) == 0 || d.in[0] != expiryMark {
		return nil
	}
	d.byte()
	e := &Expiry{At: d.stamp(), Until: d.uvarint()}
	switch {
	case d.err != nil:
	case e.IsZero():
		d.fail("an expiry that was never set")
	case bits.Len64(e.Until) > 64-logicalBits:
		d.fail("an expiry at %d: expected at most %d", e.Until, uint64(MaxExpiry))
	}
	return e
}
