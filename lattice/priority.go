package lattice

import (
	"bytes"
	"fmt"
)

// Priority keeps the payload of the lowest priority; among equal priorities
// the lexically smallest payload. NaN is higher than all other priorities, and
// -0 equals 0. Its zero value holds nothing.
type Priority struct {
	priority float64
	payload  []byte
	written  bool
}

// NewPriority holds payload at priority. It keeps payload, which must not be
// changed afterwards.
func NewPriority(priority float64, payload []byte) *Priority {
	return &Priority{priority: priority, payload: payload, written: true}
}

// Set takes payload if priority is lower than what is held, and gives the delta.
func (p *Priority) Set(priority float64, payload []byte) *Priority {
	delta := NewPriority(priority, payload)
	p.Merge(delta)
	return delta
}

// Get gives the payload, which must not be changed, its priority, and whether there is one.
func (p *Priority) Get() (payload []byte, priority float64, ok bool) {
	return p.payload, p.priority, p.written
}

// Merge keeps the lower priority.
func (p *Priority) Merge(other *Priority) bool {
	if p.Compare(other) != Less {
		return false
	}
	*p = *other
	return true
}

// Compare never answers Concurrent; the lower priority is the greater value.
func (p *Priority) Compare(other *Priority) Order {
	if !p.written || !other.written {
		return orderOf(!p.written, !other.written)
	}
	if order := compareMin(p.priority, other.priority); order != Equal {
		return order
	}
	return Order(bytes.Compare(other.payload, p.payload))
}

// Clone shares the payload, which never changes.
func (p *Priority) Clone() *Priority {
	c := *p
	return &c
}

// Size is the memory held.
func (p *Priority) Size() int { return 40 + len(p.payload) }

// AppendBinary appends whether there is a payload, the priority and the payload.
func (p *Priority) AppendBinary(dst []byte) []byte {
	dst = appendOptional(dst, p.priority, p.written)
	if !p.written {
		return dst
	}
	return appendBytes(dst, p.payload)
}

// DecodePriority reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodePriority(b []byte) (*Priority, error) { return decodeWhole(b, decodePriority) }

func decodePriority(d *decoder) *Priority {
	p := &Priority{}
	if p.priority, p.written = decodeOptional[float64](d); p.written {
		p.payload = d.bytes()
	}
	return p
}

// String is for people.
func (p *Priority) String() string {
	if !p.written {
		return "nothing"
	}
	return fmt.Sprintf("%q at %v", p.payload, p.priority)
}
