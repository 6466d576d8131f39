package mesh

// Bounds of what the arguments of a call stand for.
const (
	MaxReferences = 1000 // keys and runs in all arguments of a call
	MaxHolePath   = 256  // bytes of Hole.Path; longer ones are cut
)

// Reference is what stands for a value in the arguments of a call: the value
// of a key, or the result of a run, read where and when the stage runs.
type Reference struct {
	Key Key
	Run RunID // instead of Key where it is not zero
	// Raw hands the value over as the bytes that it is, without looking into them.
	Raw bool
}

// IsZero reports whether r stands for nothing.
func (r Reference) IsZero() bool { return r == Reference{} }

// String names what is referred to, for people.
func (r Reference) String() string {
	if r.Run != (RunID{}) {
		return "run " + r.Run.String()
	}
	return "key " + r.Key.String()
}

// Validate gives an Invalid error for a key that no key can be.
func (r Reference) Validate() error {
	if r.Run != (RunID{}) {
		return nil
	}
	return r.Key.Validate()
}

// Hole is a place within an argument in CBOR where a reference stands. The
// argument holds a null there, of one byte, at Offset.
type Hole struct {
	Offset int
	Path   string // for people: ".items[3].price"
	Reference
}
