package lattice

import (
	"bytes"
	"fmt"
)

// LWW is a last-writer-wins register: the larger Stamp wins, and among equal
// stamps the larger payload, so that replicas agree whatever the clocks say.
// Its zero value has never been written.
type LWW struct {
	stamp   Stamp
	payload []byte // nil: never written
}

// NewLWW is a register that holds payload since stamp. It keeps payload, which
// must not be changed afterwards.
func NewLWW(stamp Stamp, payload []byte) *LWW {
	if payload == nil {
		payload = []byte{}
	}
	return &LWW{stamp: stamp, payload: payload}
}

func (l *LWW) written() bool { return l.payload != nil }

// Get gives the payload, which must not be changed, its stamp, and whether
// there is one at all.
func (l *LWW) Get() (payload []byte, stamp Stamp, ok bool) {
	return l.payload, l.stamp, l.written()
}

// Set writes payload at stamp, or leaves the register as it is if that holds a
// later write, and gives the delta.
func (l *LWW) Set(stamp Stamp, payload []byte) *LWW {
	delta := NewLWW(stamp, payload)
	l.Merge(delta)
	return delta
}

// Merge keeps the later write.
func (l *LWW) Merge(other *LWW) bool {
	if l.Compare(other) != Less {
		return false
	}
	*l = *other
	return true
}

// Compare never answers Concurrent: the order is total.
func (l *LWW) Compare(other *LWW) Order {
	switch {
	case !l.written() || !other.written():
		return orderOf(!l.written(), !other.written())
	case l.stamp != other.stamp:
		return Order(l.stamp.Compare(other.stamp))
	}
	return Order(bytes.Compare(l.payload, other.payload))
}

// Clone shares the payload, which never changes.
func (l *LWW) Clone() *LWW {
	c := *l
	return &c
}

// Size is the memory held. The name of the stamp's node is left out: all
// registers that a node wrote share it.
func (l *LWW) Size() int { return lwwSize + len(l.payload) }

const lwwSize = 48

// AppendBinary appends whether it was written, stamp and payload.
func (l *LWW) AppendBinary(dst []byte) []byte {
	if !l.written() {
		return append(dst, 0)
	}
	return appendBytes(l.stamp.appendTo(append(dst, 1)), l.payload)
}

// DecodeLWW reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeLWW(b []byte) (*LWW, error) { return decodeWhole(b, decodeLWW) }

func decodeLWW(d *decoder) *LWW {
	if !d.bool() {
		return &LWW{}
	}
	return NewLWW(d.stamp(), d.bytes())
}

// String is for people.
func (l *LWW) String() string {
	if !l.written() {
		return "unwritten"
	}
	return fmt.Sprintf("%q at %s", l.payload, l.stamp)
}
