package lattice

import (
	"iter"
	"slices"
	"strings"
)

// MultiCausal is a Causal whose versions also say what their writers had read
// of other keys, so that a reader of several keys can tell whether it sees a
// causal cut (Lloyd et al., "Don't settle for eventual", 2011). Its zero value
// was never written.
type MultiCausal struct {
	versions versions
}

// Set writes payload, for writer, as the successor of all versions held, and
// gives the delta. The register keeps payload and what deps hold, which must
// not be changed afterwards.
func (c *MultiCausal) Set(writer string, payload []byte, deps map[string]*VectorClock) *MultiCausal {
	delta := c.setting(writer, 0, payload, dependencies(deps))
	c.Merge(delta)
	return delta
}

func (c *MultiCausal) setting(writer string, least uint64, payload []byte, deps []Dependency) *MultiCausal {
	return &MultiCausal{versions{{Clock: c.versions.next(writer, least), Payload: payload, Dependencies: deps}}}
}

// dependencies is ascending by key.
func dependencies(deps map[string]*VectorClock) []Dependency {
	out := make([]Dependency, 0, len(deps))
	for key, clock := range deps {
		out = append(out, Dependency{key, clock})
	}
	slices.SortFunc(out, func(a, b Dependency) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Versions gives the concurrent versions, in an order that is the same at every replica.
func (c *MultiCausal) Versions() iter.Seq[Version] { return c.versions.all() }

// Len is the number of concurrent versions.
func (c *MultiCausal) Len() int { return len(c.versions) }

// Clock is the merge of all versions' clocks.
func (c *MultiCausal) Clock() *VectorClock { return c.versions.clock() }

// Merge keeps the versions that no other has seen.
func (c *MultiCausal) Merge(other *MultiCausal) (grew bool) {
	c.versions, grew = c.versions.merge(other.versions)
	return grew
}

// Compare orders by what has been seen.
func (c *MultiCausal) Compare(other *MultiCausal) Order { return c.versions.compare(other.versions) }

// Clone shares the versions, which never change.
func (c *MultiCausal) Clone() *MultiCausal { return &MultiCausal{c.versions} }

// Size is the memory held.
func (c *MultiCausal) Size() int { return c.versions.size() }

// AppendBinary appends the versions, each a clock, a payload and dependencies.
func (c *MultiCausal) AppendBinary(dst []byte) []byte { return c.versions.appendTo(dst, true) }

// DecodeMultiCausal reads what AppendBinary wrote, and nothing else; the error
// wraps ErrMalformed. It keeps nothing of b.
func DecodeMultiCausal(b []byte) (*MultiCausal, error) { return decodeWhole(b, decodeMultiCausal) }

func decodeMultiCausal(d *decoder) *MultiCausal { return &MultiCausal{decodeVersions(d, true)} }
