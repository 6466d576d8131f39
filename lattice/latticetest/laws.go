// Package latticetest checks that a type is a lattice: over samples it tries
// every law of merge, order and encoding that the rest of Virga relies on. It
// is for tests, of this project's kinds and of anyone's own.
//
// It does not know what a type is meant to hold: a set that forgets everything
// passes. Tests of meaning stand beside the types.
package latticetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// Check fails t for the laws that samples break. It takes time in the third
// power of their number.
func Check[L lattice.Lattice[L]](t testing.TB, samples []L, decode func([]byte) (L, error)) {
	t.Helper()
	if err := Laws(samples, decode); err != nil {
		t.Error(err)
	}
}

// Laws tries every law on every one, two and three of samples, and gives the
// first one broken by each. The samples are not changed.
//
//   - Merge is idempotent, commutative and associative, does not change its
//     argument and shares nothing with it, and says that it grew when it changed.
//   - Compare is the order that merge induces: a is at most b exactly when b
//     holds a already; merge is the least value above both.
//   - The encoding is canonical: equal values have equal bytes, different ones
//     different; decoding gives the value back; no prefix of an encoding decodes.
//   - A clone, and a value that was encoded and decoded, stand for the original in all of this.
//   - Size depends on the value alone, not on how it came about.
func Laws[L lattice.Lattice[L]](samples []L, decode func([]byte) (L, error)) error {
	c := checker[L]{decode}
	var failures []error
	for i, a := range samples {
		if err := c.one(a); err != nil {
			failures = append(failures, fmt.Errorf("sample %d: %w", i, err))
		}
	}
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	for i, a := range samples {
		for j, b := range samples {
			if err := c.two(a, b); err != nil {
				return fmt.Errorf("samples %d, %d: %w", i, j, err)
			}
		}
	}
	return c.triples(samples)
}

func (c checker[L]) triples(samples []L) error {
	for i, a := range samples {
		for j, b := range samples {
			ab := merged(a, b)
			for k, d := range samples {
				if err := c.three(a, b, d, ab); err != nil {
					return fmt.Errorf("samples %d, %d, %d: %w", i, j, k, err)
				}
			}
		}
	}
	return nil
}

type checker[L lattice.Lattice[L]] struct {
	decode func([]byte) (L, error)
}

func encode[L lattice.Lattice[L]](l L) []byte { return l.AppendBinary(nil) }

func equal[L lattice.Lattice[L]](a, b L) bool { return bytes.Equal(encode(a), encode(b)) }

func merged[L lattice.Lattice[L]](a, b L) L {
	m := a.Clone()
	m.Merge(b)
	return m
}

func atMost(o lattice.Order) bool { return o == lattice.Less || o == lattice.Equal }

// broken is a law with the values that break it.
func broken[L lattice.Lattice[L]](law string, values ...L) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "broken law: %s:", law)
	for _, v := range values {
		fmt.Fprintf(&b, "\n\t%x", encode(v))
	}
	return errors.New(b.String())
}

func (c checker[L]) one(a L) error {
	before := encode(a)
	clone := a.Clone()
	switch {
	case !equal(clone, a) || clone.Compare(a) != lattice.Equal:
		return broken("a clone is equal", a, clone)
	case a.Compare(a) != lattice.Equal:
		return broken("a value is equal to itself", a)
	case clone.Merge(a) || !equal(clone, a):
		return broken("merge is idempotent", a, clone)
	case !bytes.Equal(a.AppendBinary([]byte("x")), append([]byte("x"), before...)):
		return broken("AppendBinary appends", a)
	}
	return c.roundTrip(a, before)
}

func (c checker[L]) roundTrip(a L, encoded []byte) error {
	decoded, err := c.decode(encoded)
	if err != nil {
		return fmt.Errorf("%w: %w", broken("an encoding decodes", a), err)
	}
	switch {
	case !bytes.Equal(encode(decoded), encoded):
		return broken("decoding and encoding gives the same bytes", a, decoded)
	case decoded.Compare(a) != lattice.Equal:
		return broken("a decoded value is equal", a, decoded)
	case decoded.Size() != a.Size():
		return broken(fmt.Sprintf("size depends on the value alone (%d, decoded %d)", a.Size(), decoded.Size()), a)
	}
	for n := range min(len(encoded), 256) {
		if _, err := c.decode(encoded[:n]); err == nil {
			return broken(fmt.Sprintf("no prefix decodes (%d bytes do)", n), a)
		}
	}
	if _, err := c.decode(append(encoded[:len(encoded):len(encoded)], 0)); err == nil {
		return broken("nothing may follow an encoding", a)
	}
	return nil
}

func (c checker[L]) two(a, b L) error {
	beforeA, beforeB := encode(a), encode(b)
	ab := a.Clone()
	grew := ab.Merge(b)
	switch order := a.Compare(b); {
	case !bytes.Equal(encode(a), beforeA) || !bytes.Equal(encode(b), beforeB):
		return broken("merge changes neither its argument nor the origin of a clone", a, b)
	case grew == bytes.Equal(encode(ab), beforeA):
		return broken(fmt.Sprintf("grew (%v) says whether the value changed", grew), a, b)
	case !equal(ab, merged(b, a)):
		return broken("merge is commutative", a, b)
	case ab.Merge(b) || ab.Merge(a):
		return broken("merging again changes nothing", a, b)
	case order != b.Compare(a).Invert():
		return broken(fmt.Sprintf("compare is antisymmetric (%s)", order), a, b)
	case (order == lattice.Equal) != bytes.Equal(beforeA, beforeB):
		return broken(fmt.Sprintf("equal values have equal bytes (%s)", order), a, b)
	case atMost(order) != equal(ab, b):
		return broken(fmt.Sprintf("a is at most b exactly when b holds a (%s)", order), a, b)
	case !atMost(a.Compare(ab)) || !atMost(b.Compare(ab)):
		return broken("merge is above both", a, b, ab)
	}
	return c.twoByWire(a, b, ab)
}

// twoByWire tries the pair again as what arrives elsewhere.
func (c checker[L]) twoByWire(a, b, ab L) error {
	sentA, err := c.decode(encode(a))
	if err != nil {
		return err
	}
	sentB, err := c.decode(encode(b))
	if err != nil {
		return err
	}
	sentA.Merge(sentB)
	if !equal(sentA, ab) {
		return broken("decoded values merge like the originals", a, b, sentA)
	}
	if !equal(sentB, b) {
		return broken("merge does not change its argument", b, sentB)
	}
	sentA.Merge(ab)
	return c.roundTrip(sentA, encode(ab))
}

func (c checker[L]) three(a, b, d, ab L) error {
	switch {
	case !equal(merged(ab, d), merged(a, merged(b, d))):
		return broken("merge is associative", a, b, d)
	case atMost(a.Compare(d)) && atMost(b.Compare(d)) && !atMost(ab.Compare(d)):
		return broken("merge is the least value above both", a, b, d)
	case atMost(a.Compare(b)) && atMost(b.Compare(d)) && !atMost(a.Compare(d)):
		return broken("compare is transitive", a, b, d)
	}
	return nil
}
