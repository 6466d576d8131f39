package lattice

import (
	"fmt"
	"math"
)

// GCounter counts up. Each writer has a total of its own, of which merge takes
// the larger. Its zero value is zero.
type GCounter struct {
	totals VectorClock
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

// Value is the sum over all writers, or the largest uint64 if it is larger.
func (g *GCounter) Value() uint64 {
	var sum uint64
	for _, e := range g.totals.entries {
		sum = saturatingAdd(sum, e.count)
	}
	return sum
}

// Merge takes the larger total of each writer.
func (g *GCounter) Merge(other *GCounter) bool { return g.totals.Merge(&other.totals) }

// Compare orders by totals.
func (g *GCounter) Compare(other *GCounter) Order { return g.totals.Compare(&other.totals) }

// Clone copies the counter.
func (g *GCounter) Clone() *GCounter { return &GCounter{totals: *g.totals.Clone()} }

// Size is the memory held.
func (g *GCounter) Size() int { return g.totals.Size() }

// AppendBinary appends the totals as a vector clock.
func (g *GCounter) AppendBinary(dst []byte) []byte { return g.totals.AppendBinary(dst) }

// DecodeGCounter reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeGCounter(b []byte) (*GCounter, error) { return decodeWhole(b, decodeGCounter) }

func decodeGCounter(d *decoder) *GCounter { return &GCounter{totals: *decodeClock(d)} }

// String is the value.
func (g *GCounter) String() string { return fmt.Sprint(g.Value()) }

func clampInt64(u uint64) int64 { return int64(min(u, math.MaxInt64)) }
