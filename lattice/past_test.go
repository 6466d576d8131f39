package lattice_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func pastOf(times map[string]uint64) (p lattice.Past) {
	for node, time := range times {
		p = p.Join(lattice.PastOf(lattice.Stamp{Time: time, Node: node}))
	}
	return p
}

func TestAPastKnowsUpToWhenWritesOfANodeAreMeant(t *testing.T) {
	p := pastOf(map[string]uint64{"a": 5, "b": 7})
	q := p.Join(pastOf(map[string]uint64{"a": 3, "c": 1}))
	for node, want := range map[string]uint64{"a": 5, "b": 7, "c": 1, "d": 0} {
		if got := q.Of(node); got != want {
			t.Errorf("of %s up to %d, want %d", node, got, want)
		}
	}
	if !q.Covers(p) || p.Covers(q) || p.Compare(q) != lattice.Less || q.Len() != 3 || p.Len() != 2 {
		t.Errorf("%d and %d nodes, compared %v", p.Len(), q.Len(), p.Compare(q))
	}
	if !lattice.PastOf(lattice.Stamp{}).IsZero() || p.Join(lattice.Past{}).Compare(p) != lattice.Equal {
		t.Error("the zero past says something")
	}
}

func TestPastsFormALattice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	samples := []lattice.Past{{}}
	for range 30 {
		times := map[string]uint64{}
		for range rng.IntN(4) {
			times[fmt.Sprint("n", rng.IntN(3))] = 1 + rng.Uint64N(3)
		}
		samples = append(samples, pastOf(times))
	}
	same := func(a, b lattice.Past) bool { return a.Compare(b) == lattice.Equal }
	for _, a := range samples {
		decoded, err := lattice.DecodePast(a.AppendBinary(nil))
		if err != nil || !same(a, decoded) {
			t.Fatalf("%v becomes %v, %v", a, decoded, err)
		}
		for _, b := range samples {
			ab := a.Join(b)
			if !same(ab, b.Join(a)) || !ab.Covers(a) || !ab.Covers(b) || a.Covers(b) != same(ab, a) {
				t.Fatalf("%v and %v join to %v", a, b, ab)
			}
			if string(ab.AppendBinary(nil)) != string(b.Join(a).AppendBinary(nil)) {
				t.Fatalf("%v and %v have two encodings", a, b)
			}
			for _, c := range samples {
				if !same(ab.Join(c), a.Join(b.Join(c))) {
					t.Fatalf("%v, %v and %v do not associate", a, b, c)
				}
			}
		}
	}
}

func TestDecodePastRefuses(t *testing.T) {
	two := pastOf(map[string]uint64{"a": 5, "b": 7}).AppendBinary(nil)
	swapped := append(append(append([]byte{}, two[:2]...), two[11:]...), two[2:11]...)
	for name, in := range map[string][]byte{
		"nothing": {}, "cut": two[:len(two)-1], "more": append(two[:len(two):len(two)], 0), "out of order": swapped,
		"many": {200, 1, 1}, "a time of zero": append(append([]byte{1, 5}, two[2:10]...), 5),
		"no latest": append(append([]byte{1, 5}, two[2:10]...), 1),
	} {
		if p, err := lattice.DecodePast(in); !errors.Is(err, lattice.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func FuzzDecodePast(f *testing.F) {
	f.Add([]byte{0})
	f.Add(pastOf(map[string]uint64{"a": 5, "b": 7}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := lattice.DecodePast(in)
		if err != nil {
			return
		}
		if again := p.AppendBinary(nil); string(again) != string(in) {
			t.Errorf("%x decodes, and is encoded as %x", in, again)
		}
	})
}
