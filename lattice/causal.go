package lattice

import "iter"

// Causal is a register under causal order: a write replaces the versions whose
// clocks are less than its own, and concurrent ones are kept side by side. Its
// zero value was never written.
//
// It holds what MVRegister holds, but each version carries its whole vector
// clock, by which sessions tell what a reader has seen.
type Causal struct {
	versions versions
}

// Set writes payload, for writer, as the successor of all versions held, and
// gives the delta. The register keeps payload, which must not be changed afterwards.
func (c *Causal) Set(writer string, payload []byte) *Causal {
	delta := c.setting(writer, 0, payload)
	c.Merge(delta)
	return delta
}

func (c *Causal) setting(writer string, least uint64, payload []byte) *Causal {
	return &Causal{versions{{Clock: c.versions.next(writer, least), Payload: payload}}}
}

// Versions gives the concurrent versions, in an order that is the same at every replica.
func (c *Causal) Versions() iter.Seq[Version] { return c.versions.all() }

// Len is the number of concurrent versions.
func (c *Causal) Len() int { return len(c.versions) }

// Clock is the merge of all versions' clocks.
func (c *Causal) Clock() *VectorClock { return c.versions.clock() }

// Merge keeps the versions that no other has seen.
func (c *Causal) Merge(other *Causal) (grew bool) {
	c.versions, grew = c.versions.merge(other.versions)
	return grew
}

// Compare orders by what has been seen.
func (c *Causal) Compare(other *Causal) Order { return c.versions.compare(other.versions) }

// Clone shares the versions, which never change.
func (c *Causal) Clone() *Causal { return &Causal{c.versions} }

// Size is the memory held.
func (c *Causal) Size() int { return c.versions.size() }

// AppendBinary appends the versions, each a clock and a payload.
func (c *Causal) AppendBinary(dst []byte) []byte { return c.versions.appendTo(dst, false) }

// DecodeCausal reads what AppendBinary wrote, and nothing else; the error
// wraps ErrMalformed. It keeps nothing of b.
func DecodeCausal(b []byte) (*Causal, error) { return decodeWhole(b, decodeCausal) }

func decodeCausal(d *decoder) *Causal { return &Causal{decodeVersions(d, false)} }
