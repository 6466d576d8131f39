package lattice

import (
	"fmt"
	"strings"
)

// Kind names a lattice type. The numbers are part of the encoding: append,
// never renumber.
type Kind uint8

// The kinds. NoKind is that of the zero Value, which holds nothing.
const (
	NoKind          Kind = 0
	BoolKind        Kind = 1
	MaxKind         Kind = 2
	MinKind         Kind = 3
	SetKind         Kind = 4
	OrderedSetKind  Kind = 5
	MapKind         Kind = 6
	LWWKind         Kind = 7
	PriorityKind    Kind = 8
	ClockKind       Kind = 9
	CausalKind      Kind = 10
	MultiCausalKind Kind = 11
	GCounterKind    Kind = 12
	PNCounterKind   Kind = 13
	ORSetKind       Kind = 14
	ORMapKind       Kind = 15
	MVRegisterKind  Kind = 16
	FlagKind        Kind = 17
)

var kindNames = [...]string{
	NoKind: "none", BoolKind: "bool", MaxKind: "max", MinKind: "min", SetKind: "set", OrderedSetKind: "ordered-set",
	MapKind: "map", LWWKind: "lww", PriorityKind: "priority", ClockKind: "clock", CausalKind: "causal",
	MultiCausalKind: "multi-causal", GCounterKind: "gcounter", PNCounterKind: "pncounter", ORSetKind: "or-set",
	ORMapKind: "or-map", MVRegisterKind: "mv-register", FlagKind: "flag",
}

// Kinds lists every kind but NoKind, by number.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(kindNames)-1)
	for k := 1; k < len(kindNames); k++ {
		kinds = append(kinds, Kind(k))
	}
	return kinds
}

// Valid reports whether k is a known kind other than NoKind.
func (k Kind) Valid() bool { return k > NoKind && int(k) < len(kindNames) }

// String is the kind's name, such as "or-set".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind reads a kind's name. The error wraps ErrInvalid and lists the names.
func ParseKind(name string) (Kind, error) {
	for k := 1; k < len(kindNames); k++ {
		if kindNames[k] == name {
			return Kind(k), nil
		}
	}
	return NoKind, fmt.Errorf("%w: no kind is called %q: expected one of %s", ErrInvalid, name, strings.Join(kindNames[1:], ", "))
}
