package lattice

import (
	"fmt"
	"math"
)

// PNCounter counts up and down: a GCounter for each way. Its zero value is zero.
type PNCounter struct {
	up, down GCounter
}

// Inc counts n for writer, downwards if n is negative, and gives the delta. The
// error wraps ErrInvalid if the writer's total either way would pass 64 bits.
func (c *PNCounter) Inc(writer string, n int64) (*PNCounter, error) {
	delta, err := c.inc(writer, n)
	if err == nil {
		c.Merge(delta)
	}
	return delta, err
}

func (c *PNCounter) inc(writer string, n int64) (*PNCounter, error) {
	return c.counting(Write{Writer: writer}, n)
}

// counting is the delta of an increment. What is known of writes the other way is left as it is.
func (c *PNCounter) counting(at Write, n int64) (*PNCounter, error) {
	way, magnitude := &c.up, uint64(n)
	if n < 0 {
		way, magnitude = &c.down, -uint64(n)
	}
	change, err := way.counting(at, magnitude)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return &PNCounter{down: *change}, nil
	}
	return &PNCounter{up: *change}, nil
}

// Value is what was counted up less what was counted down, held within int64 from both sides.
func (c *PNCounter) Value() int64 {
	up, down := c.up.Value(), c.down.Value()
	switch {
	case up >= down:
		return clampInt64(up - down)
	case down-up > math.MaxInt64:
		return math.MinInt64
	}
	return -int64(down - up)
}

// Merge merges both ways.
func (c *PNCounter) Merge(other *PNCounter) bool {
	up, down := c.up.Merge(&other.up), c.down.Merge(&other.down)
	return up || down
}

// Compare orders by what was counted, not by the value.
func (c *PNCounter) Compare(other *PNCounter) Order {
	return c.up.Compare(&other.up).And(c.down.Compare(&other.down))
}

// Clone copies the counter.
func (c *PNCounter) Clone() *PNCounter {
	return &PNCounter{up: *c.up.Clone(), down: *c.down.Clone()}
}

// Size is the memory held.
func (c *PNCounter) Size() int { return c.up.Size() + c.down.Size() }

// AppendBinary appends what was counted up, then down.
func (c *PNCounter) AppendBinary(dst []byte) []byte {
	return c.down.AppendBinary(c.up.AppendBinary(dst))
}

// DecodePNCounter reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodePNCounter(b []byte) (*PNCounter, error) { return decodeWhole(b, decodePNCounter) }

func decodePNCounter(d *decoder) *PNCounter {
	return &PNCounter{up: *decodeGCounter(d), down: *decodeGCounter(d)}
}

// String is the value.
func (c *PNCounter) String() string { return fmt.Sprint(c.Value()) }
