package lattice

import (
	"fmt"
	"math"
	"math/bits"
)

// GCounter counts up. Each writer has a total of its own, of which merge takes
// the larger. A write that has an id (Write.ID) is counted once, though several
// writers count it: see ledger. Its zero value is zero.
type GCounter struct {
	totals VectorClock
	ledger *ledger // nil or not empty; its writers are among those of totals
}

// Inc counts n more for writer and gives the delta. The error wraps
// ErrInvalid if the writer's total would pass 64 bits.
func (g *GCounter) Inc(writer string, n uint64) (*GCounter, error) {
	delta, err := g.inc(writer, n)
	if err == nil {
		g.Merge(delta)
	}
	return delta, err
}

func (g *GCounter) inc(writer string, n uint64) (*GCounter, error) {
	total := g.totals.At(writer)
	if total+n < total {
		return nil, fmt.Errorf("%w: %d more would pass 64 bits: writer %q has %d", ErrInvalid, n, writer, total)
	}
	delta := &GCounter{}
	delta.totals.raise(writer, total+n)
	return delta, nil
}

// Value is the sum over all writers of what no other writer has counted as
// well, or the largest uint64 if it is larger.
func (g *GCounter) Value() uint64 {
	var high, low, carry uint64
	for _, e := range g.totals.entries {
		low, carry = bits.Add64(low, e.count, 0)
		high += carry
	}
	if g.ledger != nil {
		for _, e := range g.ledger.repeated.entries {
			low, carry = bits.Sub64(low, e.count, 0)
			high -= carry
		}
		highExcess, excess := g.ledger.store.excess()
		low, carry = bits.Sub64(low, excess, 0)
		if high, carry = bits.Sub64(high, highExcess, carry); carry > 0 {
			return 0 // no honest writer has records of more than it counts
		}
	}
	if high > 0 {
		return math.MaxUint64
	}
	return low
}

// Merge takes the larger total of each writer.
func (g *GCounter) Merge(other *GCounter) bool {
	grew := g.totals.Merge(&other.totals)
	switch {
	case other.ledger == nil:
	case g.ledger == nil:
		g.ledger = other.ledger.clone()
		return true
	default:
		return g.ledger.merge(other.ledger) || grew
	}
	return grew
}

// Compare orders by totals, and by what is known of the writes in them.
func (g *GCounter) Compare(other *GCounter) Order {
	return g.totals.Compare(&other.totals).And(orderOf(g.ledger.within(other.ledger), other.ledger.within(g.ledger)))
}

// Clone copies the counter.
func (g *GCounter) Clone() *GCounter {
	return &GCounter{totals: *g.totals.Clone(), ledger: g.ledger.clone()}
}

// Size is the memory held.
func (g *GCounter) Size() int { return 8 + g.totals.Size() + g.ledger.size() }

// AppendBinary appends the totals as a vector clock, and what is known of the writes in them.
func (g *GCounter) AppendBinary(dst []byte) []byte {
	return g.ledger.appendTo(g.totals.AppendBinary(dst), &g.totals)
}

// DecodeGCounter reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeGCounter(b []byte) (*GCounter, error) { return decodeWhole(b, decodeGCounter) }

func decodeGCounter(d *decoder) *GCounter {
	g := &GCounter{totals: *decodeClock(d)}
	g.ledger = decodeLedger(d, &g.totals)
	return g
}

// String is the value.
func (g *GCounter) String() string { return fmt.Sprint(g.Value()) }

func clampInt64(u uint64) int64 { return int64(min(u, math.MaxInt64)) }
