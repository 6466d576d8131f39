package lattice

import "iter"

// MVRegister is a multi-value register: a write replaces the payloads that it
// has seen, and those written elsewhere at the same time stay beside it, until
// a later write has seen them all. It is a dotted version vector (Preguiça et
// al., "Dotted version vectors", 2010): a dot for each payload, and a compact
// context. Its zero value holds nothing.
type MVRegister struct {
	dotted[dotFun[*content]]
}

// Set replaces what is held by payload, which the register keeps and which must
// not be changed afterwards, and gives the delta.
func (r *MVRegister) Set(writer string, payload []byte) *MVRegister {
	delta := r.setting(writer, payload)
	r.Merge(delta)
	return delta
}

func (r *MVRegister) setting(writer string, payload []byte) *MVRegister {
	dot := r.context.Next(writer)
	delta := &MVRegister{}
	delta.context = covering(r.store.live(), dot)
	delta.store = delta.store.with(dot, &content{payload: payload})
	return delta
}

// Payloads gives what is held, ascending by dot. The payloads must not be changed.
func (r *MVRegister) Payloads() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for c := range r.store.values() {
			if !yield(c.payload) {
				return
			}
		}
	}
}

// Len is the number of payloads.
func (r *MVRegister) Len() int { return len(r.store.entries) }

// Context is the set of dots seen. It must not be changed.
func (r *MVRegister) Context() *CausalContext { return &r.context }

// Merge keeps what neither side has replaced.
func (r *MVRegister) Merge(other *MVRegister) bool { return r.merge(&other.dotted) }

// Compare orders by what has been seen and replaced.
func (r *MVRegister) Compare(other *MVRegister) Order { return r.compare(&other.dotted) }

// Clone shares the payloads, which never change.
func (r *MVRegister) Clone() *MVRegister { return &MVRegister{r.clone()} }

// Size is the memory held.
func (r *MVRegister) Size() int { return r.size() }

// AppendBinary appends the context, then the dots with their payloads, ascending.
func (r *MVRegister) AppendBinary(dst []byte) []byte { return r.appendTo(dst) }

// DecodeMVRegister reads what AppendBinary wrote, and nothing else; the error
// wraps ErrMalformed. It keeps nothing of b.
func DecodeMVRegister(b []byte) (*MVRegister, error) { return decodeWhole(b, decodeMVRegister) }

func decodeMVRegister(d *decoder) *MVRegister {
	return &MVRegister{decodeDotted(d, decodeContents)}
}

func decodeContents(d *decoder) dotFun[*content] {
	return decodeDotFun(d, func(d *decoder) *content { return within(d, decodeContent) })
}
