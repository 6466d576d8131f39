package lattice

import "fmt"

// Order is how two values of one lattice stand to each other. It agrees with
// merge: a is Less than b or Equal to it exactly when merging a into b
// changes nothing.
type Order int8

// The four answers.
const (
	Less       Order = -1
	Equal      Order = 0
	Greater    Order = 1
	Concurrent Order = 2 // neither holds all that the other holds
)

// String is the order's name.
func (o Order) String() string {
	switch o {
	case Less:
		return "less"
	case Equal:
		return "equal"
	case Greater:
		return "greater"
	case Concurrent:
		return "concurrent"
	}
	return fmt.Sprintf("Order(%d)", int8(o))
}

// Invert is the order seen from the other side.
func (o Order) Invert() Order {
	if o == Concurrent {
		return Concurrent
	}
	return -o
}

// And combines the orders of two components into that of their pair.
func (o Order) And(p Order) Order {
	switch {
	case o == p || p == Equal:
		return o
	case o == Equal:
		return p
	}
	return Concurrent
}

// orderOf tells the order from whether each side holds all of the other.
func orderOf(atMost, atLeast bool) Order {
	switch {
	case atMost && atLeast:
		return Equal
	case atMost:
		return Less
	case atLeast:
		return Greater
	}
	return Concurrent
}

// Lattice is what every static type offers, with L the type itself (a pointer).
type Lattice[L any] interface {
	// Merge makes the receiver the least value that holds both, and reports
	// whether that changed it. It does not change other, and shares no
	// mutable memory with it afterwards.
	Merge(other L) (grew bool)
	// Compare orders the receiver against other.
	Compare(other L) Order
	// Clone is a copy that shares no mutable memory.
	Clone() L
	// Size is the memory held, in bytes, approximately; it takes constant time
	// where the type can grow without bound.
	Size() int
	// AppendBinary appends the canonical encoding, which delimits itself.
	AppendBinary(dst []byte) []byte
}
