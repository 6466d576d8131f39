package txn

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

var sample = newRecord(
	lattice.Stamp{Time: 1 << 40, Node: "home"},
	lattice.PastOf(lattice.Stamp{Time: 9, Node: "n"}).Join(lattice.PastOf(lattice.Stamp{Time: 300, Node: "m"})),
	[]Write{{Key: key("b"), Value: []byte("value")}, {Key: key("c"), Value: []byte("none"), Deletes: true}, {Key: key("a"), Value: []byte{}}},
)

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, r := range []*record{sample, newRecord(lattice.Stamp{Time: 1}, lattice.Past{}, sets("-", "k"))} {
		read, err := decodeRecord(r.encode(), r.at)
		if err != nil || !bytes.Equal(read.encode(), r.encode()) || !sameWrites(read.writes, r.writes) || read.needs.Compare(r.needs) != lattice.Equal {
			t.Errorf("%v became %v, %v", r, read, err)
		}
	}
}

func sameWrites(a, b []Write) bool {
	return slices.EqualFunc(a, b, func(a, b Write) bool {
		return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && a.Deletes == b.Deletes
	})
}

func TestARecordDoesNotDependOnTheOrderOfItsWrites(t *testing.T) {
	writes := slices.Clone(sample.writes)
	slices.Reverse(writes)
	if !bytes.Equal(newRecord(sample.at, sample.needs, writes).encode(), sample.encode()) {
		t.Error("another order gave another record")
	}
}

func TestADamagedRecordIsNoRecord(t *testing.T) {
	whole := sample.encode()
	bad := map[string][]byte{
		"longer": append(slices.Clone(whole), 0), "of another version": append([]byte{9}, whole[1:]...),
		"without writes": newRecord(sample.at, sample.needs, nil).encode(),
		"of a key twice": newRecord(sample.at, sample.needs, sets("v", "a", "a")).encode(),
		"of no key":      newRecord(sample.at, sample.needs, sets("v", "")).encode(),
		"of another":     newRecord(lattice.Stamp{Time: 8, Node: "home"}, sample.needs, sample.writes).encode(),
		"too large":      newRecord(sample.at, sample.needs, sets(strings.Repeat("v", MaxBytes), "a", "b")).encode(),
	}
	for i := range whole {
		bad[fmt.Sprintf("cut off after %d bytes", i)] = whole[:i]
	}
	for name, b := range bad {
		_, err := decodeRecord(b, sample.at)
		if !errors.Is(err, ErrDamaged) || !errors.Is(err, mesh.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(sample.encode())
	f.Add(newRecord(lattice.Stamp{Time: 1}, lattice.Past{}, sets("-", "k")).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{in: b}
		at := d.record().at // what it says it is of
		r, err := decodeRecord(b, at)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(r.encode(), b) {
			t.Fatalf("%x became %x", b, r.encode())
		}
	})
}
