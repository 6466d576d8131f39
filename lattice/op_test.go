package lattice_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

var everyOp = []struct {
	op         lattice.Op
	text, wire string
}{
	{lattice.SetOp([]byte("p")), `set "p"`, "01017000"},
	{lattice.SetPriorityOp(-1, []byte("p")), `set "p" at -1`, "01017001bff0000000000000"},
	{lattice.SetAfterOp([]byte("p"), map[string]*lattice.VectorClock{"k": lattice.NewVectorClock(map[string]uint64{"w": 2})}), `set "p" after "k"{w:2}`, "010170020101" + "6b01017702"},
	{lattice.SetAfterOp([]byte("p"), nil), `set "p"`, "01017000"},
	{lattice.AddOp("y", "x", "y"), `add "x" "y"`, "020201780179"},
	{lattice.RemoveOp("x"), `remove "x"`, "03010178"},
	{lattice.IncOp(-3), `inc -3`, "0405"},
	{lattice.OfferOp(lattice.TextScalar("t")), `offer "t"`, "05030174"},
	{lattice.EnableOp(), `enable`, "06"},
	{lattice.DisableOp(), `disable`, "07"},
	{lattice.PutOp("f", lattice.ORSetKind, lattice.AddOp("x")), `put "f" or-set add "x"`, "0801660e02010178"},
	{lattice.DropOp("f"), `drop "f"`, "090166"},
	{lattice.TickOp(), `tick`, "0a"},
	{lattice.ObserveOp(lattice.NewVectorClock(map[string]uint64{"w": 2})), `observe {w:2}`, "0b01017702"},
}

func TestOps(t *testing.T) {
	verbs := map[lattice.Verb]bool{}
	for _, c := range everyOp {
		verbs[c.op.Verb()] = true
		encoded := c.op.AppendBinary(nil)
		if got := hex.EncodeToString(encoded); got != c.wire || c.op.String() != c.text {
			t.Errorf("%s is %s, want %s as %s", c.op, got, c.text, c.wire)
		}
		decoded, err := lattice.DecodeOp(encoded)
		if err != nil || decoded.String() != c.text || !bytes.Equal(decoded.AppendBinary(nil), encoded) {
			t.Errorf("%s decodes as %s, %v", c.op, decoded, err)
		}
		for n := range encoded {
			if op, err := lattice.DecodeOp(encoded[:n]); !errors.Is(err, lattice.ErrMalformed) {
				t.Errorf("%d bytes of %s decode as %s, %v", n, c.op, op, err)
			}
		}
	}
	for _, kind := range lattice.Kinds() {
		for _, verb := range kind.Verbs() {
			if !verbs[verb] {
				t.Errorf("%s of %s is not tried", verb, kind)
			}
		}
	}
}

func TestDecodeOpRefuses(t *testing.T) {
	cases := map[string]string{
		"the zero op":           "00",
		"an unknown verb":       "0c",
		"what follows":          "0600",
		"an unknown form":       "01017003",
		"a set after nothing":   "0101700200",
		"elements in disorder":  "020201790178",
		"a field of no kind":    "0801660006",
		"a put of a broken op":  "080166010c",
		"an odd NaN priority":   "01017001fff8000000000000",
		"an inc past 64 bits":   "04ffffffffffffffffff02",
		"puts nested too deep":  string(bytes.Repeat([]byte("08016606"), 16)) + "06",
		"a clock in disorder":   "0b02016201016101",
		"a dependency twice":    "01017002" + "02" + "016b00" + "016b00",
		"an element that fails": "020205",
	}
	for name, in := range cases {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if op, err := lattice.DecodeOp(b); !errors.Is(err, lattice.ErrMalformed) {
			t.Errorf("%s: got %q and %v, want ErrMalformed", name, op, err)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	field := func(kind, has, asked lattice.Kind) (lattice.Value, lattice.Op) {
		r := newReplica(t, "a", kind)
		r.do(lattice.PutOp("f", has, lattice.EnableOp()))
		return r.value, lattice.PutOp("f", asked, lattice.EnableOp())
	}
	inMap, mapOp := field(lattice.MapKind, lattice.BoolKind, lattice.FlagKind)
	inORMap, orMapOp := field(lattice.ORMapKind, lattice.FlagKind, lattice.BoolKind)
	full := newReplica(t, "a", lattice.GCounterKind)
	full.do(lattice.IncOp(math.MaxInt64), lattice.IncOp(math.MaxInt64))
	spent, err := lattice.Decode([]byte("\x11\x01\x01a\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		state lattice.Value
		op    lattice.Op
		is    error
		text  string
	}{
		{lattice.New(lattice.SetKind), lattice.RemoveOp("x"), lattice.ErrNoSuchVerb, "no such verb: set has no remove: expected one of add"},
		{lattice.New(lattice.FlagKind), lattice.SetOp(nil), lattice.ErrNoSuchVerb, "no such verb: flag has no set: expected one of enable, disable"},
		{lattice.New(lattice.LWWKind), lattice.Op{}, lattice.ErrNoSuchVerb, "no such verb: lww has no Verb(0): expected one of set"},
		{lattice.Value{}, lattice.TickOp(), lattice.ErrNoSuchVerb, "no such verb: none has no tick: expected one of "},
		{lattice.New(lattice.MapKind), lattice.DropOp("f"), lattice.ErrNoSuchVerb, "no such verb: map has no drop: expected one of put"},
		{lattice.New(lattice.MapKind), lattice.PutOp("f", lattice.BoolKind, lattice.DisableOp()), lattice.ErrNoSuchVerb, `in field "f": no such verb: bool has no disable: expected one of enable`},
		{lattice.New(lattice.ORMapKind), lattice.PutOp("f", lattice.MapKind, lattice.DropOp("g")), lattice.ErrNoSuchVerb, `in field "f": no such verb: map has no drop: expected one of put`},
		{lattice.New(lattice.MapKind), lattice.PutOp("f", lattice.NoKind, lattice.TickOp()), lattice.ErrInvalid, `invalid argument: field "f" of none: expected a kind`},
		{lattice.New(lattice.ORMapKind), lattice.PutOp("f", 99, lattice.TickOp()), lattice.ErrInvalid, `invalid argument: field "f" of Kind(99): expected a kind`},
		{inMap, mapOp, lattice.ErrKindMismatch, `kinds differ in field "f": have bool, got flag`},
		{inORMap, orMapOp, lattice.ErrKindMismatch, `kinds differ in field "f": have flag, got bool`},
		{lattice.New(lattice.GCounterKind), lattice.IncOp(-1), lattice.ErrInvalid, "invalid argument: inc -1 of a gcounter: expected at least 0"},
		{full.value, lattice.IncOp(2), lattice.ErrInvalid, `invalid argument: 2 more would pass 64 bits: writer "a" has 18446744073709551614`},
		{lattice.New(lattice.MaxKind), lattice.OfferOp(lattice.FloatScalar(math.NaN())), lattice.ErrInvalid, "invalid argument: expected a number or a byte string to be offered"},
		{lattice.New(lattice.PriorityKind), lattice.SetPriorityOp(math.NaN(), nil), lattice.ErrInvalid, "invalid argument: priority NaN: expected a number"},
		{lattice.New(lattice.PriorityKind), lattice.SetOp(nil), lattice.ErrInvalid, "invalid argument: set of a priority with a payload alone: expected a priority"},
		{lattice.New(lattice.LWWKind), lattice.SetPriorityOp(1, nil), lattice.ErrInvalid, "invalid argument: set of a lww with a priority: expected a payload alone"},
		{spent, lattice.EnableOp(), lattice.ErrInvalid, `invalid argument: writer "a" has used up its dots`},
	}
	for _, c := range cases {
		before := c.state.AppendBinary(nil)
		delta, err := lattice.Apply(c.state, c.op, lattice.Write{Writer: "a"})
		if !errors.Is(err, c.is) || err.Error() != c.text || !delta.IsZero() {
			t.Errorf("%s: got %v, want %q", c.op, err, c.text)
		}
		if !bytes.Equal(c.state.AppendBinary(nil), before) {
			t.Errorf("%s: a refused operation changed the state", c.op)
		}
	}
}

func TestDeltasAreSmall(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind} {
		elements := make([]string, 5000)
		for i := range elements {
			elements[i] = hex.EncodeToString([]byte{byte(i >> 8), byte(i)})
		}
		large := applied(t, lattice.New(kind), lattice.AddOp(elements...), lattice.Write{Writer: "a"})
		delta, err := lattice.Apply(large, lattice.AddOp("one more"), lattice.Write{Writer: "a"})
		if err != nil || len(delta.AppendBinary(nil)) > 40 {
			t.Errorf("%s: a delta of %d bytes for one element, %v", kind, len(delta.AppendBinary(nil)), err)
		}
	}
}
