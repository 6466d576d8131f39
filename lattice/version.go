package lattice

import (
	"bytes"
	"iter"
	"slices"
	"strings"
)

// Version is one payload of a causal register, with the clock of its writing:
// it has seen every version whose clock is less. Nothing in it may be changed.
type Version struct {
	Clock   *VectorClock
	Payload []byte
	// Dependencies are what the writer had read of other keys; always empty in a Causal.
	Dependencies []Dependency
}

// Dependency is a version of another key that a reader must not fall behind.
type Dependency struct {
	Key   string
	Clock *VectorClock
}

// compare is the order in which versions are kept: any total order would do.
func (v Version) compare(w Version) int {
	if order := v.Clock.lexical(w.Clock); order != 0 {
		return order
	}
	if order := bytes.Compare(v.Payload, w.Payload); order != 0 {
		return order
	}
	return slices.CompareFunc(v.Dependencies, w.Dependencies, func(a, b Dependency) int {
		if order := strings.Compare(a.Key, b.Key); order != 0 {
			return order
		}
		return a.Clock.lexical(b.Clock)
	})
}

// replacedBy reports whether w makes v superfluous: it has seen v, or is v.
func (v Version) replacedBy(w Version) bool {
	switch v.Clock.Compare(w.Clock) {
	case Less:
		return true
	case Equal:
		return v.compare(w) == 0
	}
	return false
}

func (v Version) size() int {
	n := 56 + v.Clock.Size() + len(v.Payload)
	for _, dep := range v.Dependencies {
		n += 24 + len(dep.Key) + dep.Clock.Size()
	}
	return n
}

// versions are the versions that no other has seen, ascending by compare: the
// maximal elements of all that were ever written.
type versions []Version

func (vs versions) merge(other versions) (merged versions, grew bool) {
	for _, w := range other {
		if vs.hold(w) {
			continue
		}
		kept := make(versions, 0, len(vs)+1)
		for _, v := range vs {
			if !v.replacedBy(w) {
				kept = append(kept, v)
			}
		}
		at, _ := slices.BinarySearchFunc(kept, w, Version.compare)
		vs, grew = slices.Insert(kept, at, w), true
	}
	return vs, grew
}

// hold reports whether w, or one that replaces it, is among them.
func (vs versions) hold(w Version) bool {
	return slices.ContainsFunc(vs, w.replacedBy)
}

func (vs versions) compare(other versions) Order { return orderOf(vs.within(other), other.within(vs)) }

func (vs versions) within(other versions) bool {
	for _, v := range vs {
		if !other.hold(v) {
			return false
		}
	}
	return true
}

// clock is the merge of all clocks.
func (vs versions) clock() *VectorClock {
	c := &VectorClock{}
	for _, v := range vs {
		c.Merge(v.Clock)
	}
	return c
}

// next is the clock of a write by writer that has seen all versions. The count
// of writer will be at least the given one.
func (vs versions) next(writer string, least uint64) *VectorClock {
	c := vs.clock()
	c.raise(writer, max(least, saturatingAdd(c.At(writer), 1)))
	return c
}

func (vs versions) all() iter.Seq[Version] { return slices.Values(vs) }

func (vs versions) size() int {
	n := 24
	for _, v := range vs {
		n += v.size()
	}
	return n
}

// appendTo appends the count, then each version: clock, payload and, if they may have any, the dependencies.
func (vs versions) appendTo(dst []byte, dependent bool) []byte {
	dst = appendUvarint(dst, uint64(len(vs)))
	for _, v := range vs {
		dst = appendBytes(v.Clock.AppendBinary(dst), v.Payload)
		if dependent {
			dst = appendDependencies(dst, v.Dependencies)
		}
	}
	return dst
}

// maxVersions bounds what is decoded, for checking that versions are concurrent
// takes time in the square of their number. Of the versions that one writer
// made no two are concurrent, so that a register that was written honestly has at most one
// for each writer of its key.
const maxVersions = 1 << 12

func decodeVersions(d *decoder, dependent bool) versions {
	var vs versions
	n := d.count()
	if n > maxVersions {
		d.fail("%d versions: expected at most %d", n, maxVersions)
		return nil
	}
	for i := range n {
		v := Version{Clock: decodeClock(d), Payload: d.bytes()}
		if dependent {
			v.Dependencies = decodeDependencies(d)
		}
		if d.err == nil && i > 0 && vs[i-1].compare(v) >= 0 {
			d.fail("version %d is not greater than the one before it", i)
		}
		if d.err != nil {
			return nil
		}
		vs = append(vs, v)
	}
	if !vs.concurrent() {
		d.fail("a version that another has seen")
	}
	return vs
}

// concurrent reports whether no version replaces another.
func (vs versions) concurrent() bool {
	for i, v := range vs {
		for j, w := range vs {
			if i != j && v.replacedBy(w) {
				return false
			}
		}
	}
	return true
}

func appendDependencies(dst []byte, deps []Dependency) []byte {
	dst = appendUvarint(dst, uint64(len(deps)))
	for _, dep := range deps {
		dst = dep.Clock.AppendBinary(appendString(dst, dep.Key))
	}
	return dst
}

func decodeDependencies(d *decoder) []Dependency {
	var deps []Dependency
	var previous string
	for i := range d.count() {
		dep := Dependency{Key: d.str(), Clock: decodeClock(d)}
		if !ascending(d, i, previous, dep.Key) {
			return nil
		}
		deps = append(deps, dep)
		previous = dep.Key
	}
	return deps
}
