package lattice_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// Operations that are applied part by part must give what they give when
// they are applied to the whole, on replicas that exchange parts in any order.
func TestPartsMergeToTheWhole(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		if kind.Divisible() {
			t.Run(kind.String(), func(t *testing.T) { checkDivision(t, kind) })
		}
	}
}

const divisionParts = 5

func checkDivision(t *testing.T, kind lattice.Kind) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		partOf := func(name string) uint16 { return uint16(name[0]) % divisionParts }
		whole := lattice.New(kind)
		replicas := [2][divisionParts]lattice.Value{}
		for i := range replicas {
			for p := range replicas[i] {
				replicas[i][p] = lattice.New(kind)
			}
		}
		for step := range 60 {
			op := randomCollectionOp(rng, kind)
			at := rng.IntN(2)
			write := func(part uint16) lattice.Write {
				return lattice.Write{Stamp: lattice.Stamp{Time: uint64(step + 1), Node: "n"}, Writer: fmt.Sprint("w", at, "/", part)}
			}
			// The whole is written at one place only, as if all had been seen:
			// so each replica sees all before it writes.
			for p := range divisionParts {
				merge(t, &replicas[at][p], replicas[1-at][p])
			}
			byPart, ok := op.Divide(partOf)
			if !ok {
				t.Fatalf("%v is not divided", op)
			}
			for part, o := range byPart {
				delta, err := lattice.Apply(replicas[at][part], o, write(part))
				if err != nil {
					t.Fatal(err)
				}
				merge(t, &replicas[at][part], delta)
			}
			delta, err := lattice.Apply(whole, op, write(divisionParts))
			if err != nil {
				t.Fatal(err)
			}
			merge(t, &whole, delta)
			united := lattice.New(kind)
			for _, p := range rng.Perm(divisionParts) {
				merge(t, &united, replicas[at][p])
			}
			if got, want := names(united), names(whole); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d, %v: parts hold %q, the whole %q", seed, step, op, got, want)
			}
		}
	}
}

func merge(t *testing.T, into *lattice.Value, from lattice.Value) {
	t.Helper()
	if _, err := into.Merge(from); err != nil {
		t.Fatal(err)
	}
}

func names(v lattice.Value) []string {
	return slices.AppendSeq(slices.Collect(v.Elements()), v.Names())
}

func randomCollectionOp(rng *rand.Rand, kind lattice.Kind) lattice.Op {
	name := func() string { return string(rune('a' + rng.IntN(12))) }
	removes := rng.IntN(3) == 0
	switch kind {
	case lattice.SetKind:
		return lattice.AddOp(name(), name(), name())
	case lattice.ORSetKind:
		if removes {
			return lattice.RemoveOp(name(), name())
		}
		return lattice.AddOp(name(), name(), name())
	case lattice.ORMapKind:
		if removes {
			return lattice.DropOp(name())
		}
	}
	return lattice.PutOp(name(), lattice.GCounterKind, lattice.IncOp(1))
}

func TestAmongTakesApartWhatIsHeld(t *testing.T) {
	set := lattice.New(lattice.SetKind)
	delta, err := lattice.Apply(set, lattice.AddOp("a", "b"), lattice.Write{})
	if err != nil {
		t.Fatal(err)
	}
	merge(t, &set, delta)
	held, others, anyHeld, anyOther := lattice.AddOp("b", "c", "d").Among(set)
	if !anyHeld || !anyOther || held.String() != lattice.AddOp("b").String() || others.String() != lattice.AddOp("c", "d").String() {
		t.Errorf("Among gives %v (%v) and %v (%v)", held, anyHeld, others, anyOther)
	}
	if _, ok := lattice.IncOp(1).Divide(func(string) uint16 { return 0 }); ok {
		t.Error("an inc is divided")
	}
}

// A collection that has grown says that it is divided, for ever, and so do
// those that merge with it.
func TestDividedStaysDivided(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		if !kind.Divisible() {
			continue
		}
		v := lattice.New(kind)
		for i := range 256 {
			if _, ok := v.Dividing(); ok || v.Divided() {
				t.Fatalf("%v is divided at %d", kind, i)
			}
			applyOp(t, &v, addOne(kind, fmt.Sprint(i)))
		}
		if delta, ok := v.Dividing(); ok {
			merge(t, &v, delta)
		}
		if !v.Divided() || v.Len() != 256 {
			t.Fatalf("%v with %d elements is divided: %v", kind, v.Len(), v.Divided())
		}
		other := lattice.New(kind)
		merge(t, &other, v)
		if kind == lattice.ORSetKind {
			applyOp(t, &other, lattice.RemoveOp(slices.Collect(other.Elements())...))
		}
		decoded, err := lattice.Decode(other.AppendBinary(nil))
		if err != nil || !decoded.Divided() {
			t.Errorf("%v comes back divided: %v, %v", kind, decoded.Divided(), err)
		}
	}
}

func addOne(kind lattice.Kind, name string) lattice.Op {
	if kind == lattice.SetKind || kind == lattice.ORSetKind {
		return lattice.AddOp(name)
	}
	return lattice.PutOp(name, lattice.GCounterKind, lattice.IncOp(1))
}

func applyOp(t *testing.T, v *lattice.Value, op lattice.Op) {
	t.Helper()
	delta, err := lattice.Apply(*v, op, lattice.Write{Stamp: lattice.Stamp{Time: 1, Node: "n"}, Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	merge(t, v, delta)
}

func TestSelectKeepsWhatIsAskedFor(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		if !kind.Divisible() {
			continue
		}
		v := lattice.New(kind)
		for _, name := range []string{"a", "b", "c"} {
			applyOp(t, &v, addOne(kind, name))
		}
		got := v.Select(func(name string) bool { return name != "b" })
		if want := []string{"a", "c"}; !slices.Equal(names(got), want) {
			t.Errorf("%v: Select gives %q, want %q", kind, names(got), want)
		}
		if back, err := lattice.Decode(got.AppendBinary(nil)); err != nil || !slices.Equal(names(back), names(got)) {
			t.Errorf("%v: a selection comes back as %q, %v", kind, names(back), err)
		}
		if v.Len() != 3 {
			t.Errorf("%v: Select changed what it was given", kind)
		}
	}
}
