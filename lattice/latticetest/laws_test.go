package latticetest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// number is a lattice of whole numbers whose parts can be replaced by wrong ones.
type number struct {
	n     int64
	merge func(a, b int64) int64
	grew  func(a, b, merged int64) bool
	order func(a, b int64) lattice.Order
}

func (x *number) Merge(other *number) bool {
	before := x.n
	x.n = x.merge(x.n, other.n)
	return x.grew(before, other.n, x.n)
}
func (x *number) Compare(other *number) lattice.Order { return x.order(x.n, other.n) }
func (x *number) Clone() *number                      { c := *x; return &c }
func (x *number) Size() int                           { return 8 }
func (x *number) AppendBinary(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(x.n))
}

func larger(a, b int64) int64          { return max(a, b) }
func changed(a, _, merged int64) bool  { return a != merged }
func byWorth(a, b int64) lattice.Order { return lattice.NewMax(a).Compare(lattice.NewMax(b)) }

func TestWhatIsNotQuiteALatticeIsCaught(t *testing.T) {
	cases := []struct {
		name  string
		merge func(a, b int64) int64
		grew  func(a, b, merged int64) bool
		order func(a, b int64) lattice.Order
		want  string // "" if it is a lattice
	}{
		{"max", larger, changed, byWorth, ""},
		{"sum", func(a, b int64) int64 { return a + b }, changed, byWorth, "idempotent"},
		{"last", func(_, b int64) int64 { return b }, changed, byWorth, "commutative"},
		{"mean", func(a, b int64) int64 { return (a + b) / 2 }, changed, byWorth, "exactly when"},
		{"always grew", larger, func(a, b, _ int64) bool { return a != b }, byWorth, "merging again"},
		{"never grew", larger, func(int64, int64, int64) bool { return false }, byWorth, "grew"},
		{"order the wrong way", larger, changed, func(a, b int64) lattice.Order { return byWorth(b, a) }, "exactly when"},
		{"order of nothing", larger, changed, func(a, b int64) lattice.Order {
			if a == b {
				return lattice.Equal
			}
			return lattice.Concurrent
		}, "exactly when"},
		{"rock, paper, scissors", beats, changed, beatsOrder, "associative"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var samples []*number
			for n := range int64(3) {
				samples = append(samples, &number{n, c.merge, c.grew, c.order})
			}
			err := latticetest.Laws(samples, func(b []byte) (*number, error) {
				if len(b) != 8 {
					return nil, errors.New("not eight bytes")
				}
				return &number{int64(binary.BigEndian.Uint64(b)), c.merge, c.grew, c.order}, nil
			})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("a lattice was refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a broken law about %q", err, c.want)
			}
		})
	}
}

// beats obeys every law on pairs, and none on triples.
func beats(a, b int64) int64 {
	if (a+1)%3 == b {
		return b
	}
	return a
}

func beatsOrder(a, b int64) lattice.Order {
	switch {
	case a == b:
		return lattice.Equal
	case beats(a, b) == b:
		return lattice.Less
	}
	return lattice.Greater
}

func TestEncodingsThatAreNotCanonicalAreCaught(t *testing.T) {
	cases := map[string]func([]byte) (*lattice.Max[string], error){
		"decodes prefixes": func(b []byte) (*lattice.Max[string], error) {
			if m, err := lattice.DecodeMax[string](b); err == nil {
				return m, nil
			}
			return &lattice.Max[string]{}, nil
		},
		"decodes what follows": func(b []byte) (*lattice.Max[string], error) {
			return lattice.DecodeMax[string](bytes.TrimRight(b, "\x00"))
		},
		"decodes something else": func([]byte) (*lattice.Max[string], error) { return lattice.NewMax("x"), nil },
		"does not decode":        func([]byte) (*lattice.Max[string], error) { return nil, errors.New("no") },
	}
	for name, decode := range cases {
		t.Run(name, func(t *testing.T) {
			if latticetest.Laws([]*lattice.Max[string]{lattice.NewMax("a")}, decode) == nil {
				t.Error("not caught")
			}
		})
	}
}
