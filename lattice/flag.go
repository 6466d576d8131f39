package lattice

import "fmt"

// Flag is an enable-wins flag: disabling undoes the enablings that it has
// seen, so that one elsewhere at the same time survives. Its zero value is off.
type Flag struct {
	dotted[dotSet]
}

// Enable turns it on for writer and gives the delta.
func (f *Flag) Enable(writer string) *Flag {
	delta := f.enabling(writer)
	f.Merge(delta)
	return delta
}

func (f *Flag) enabling(writer string) *Flag {
	dot := f.context.Next(writer)
	return &Flag{dotted[dotSet]{context: covering(f.store.live(), dot), store: dotSet{dot}}}
}

// Disable turns it off and gives the delta.
func (f *Flag) Disable() *Flag {
	delta := f.disabling()
	f.Merge(delta)
	return delta
}

func (f *Flag) disabling() *Flag {
	return &Flag{dotted[dotSet]{context: covering(f.store.live())}}
}

// Value reports whether it is on.
func (f *Flag) Value() bool { return len(f.store) > 0 }

// Context is the set of dots seen. It must not be changed.
func (f *Flag) Context() *CausalContext { return &f.context }

// Merge keeps the enablings that neither side has undone.
func (f *Flag) Merge(other *Flag) bool { return f.merge(&other.dotted) }

// Compare orders by what has been seen, enabled and disabled alike.
func (f *Flag) Compare(other *Flag) Order { return f.compare(&other.dotted) }

// Clone copies the flag.
func (f *Flag) Clone() *Flag { return &Flag{f.clone()} }

// Size is the memory held.
func (f *Flag) Size() int { return f.size() }

// AppendBinary appends the context and the dots that are alive.
func (f *Flag) AppendBinary(dst []byte) []byte { return f.appendTo(dst) }

// DecodeFlag reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeFlag(b []byte) (*Flag, error) { return decodeWhole(b, decodeFlag) }

func decodeFlag(d *decoder) *Flag { return &Flag{decodeDotted(d, decodeDotSet)} }

// String is "true" or "false".
func (f *Flag) String() string { return fmt.Sprint(f.Value()) }
