package lattice_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

// The bytes of each kind are what disks and other versions hold: they must
// never change.
func TestEncodingsArePinned(t *testing.T) {
	a := func(kind lattice.Kind, ops ...lattice.Op) lattice.Value {
		r := newReplica(t, "a", kind)
		r.do(ops...)
		return r.value
	}
	seen := map[string]*lattice.VectorClock{"k": lattice.NewVectorClock(map[string]uint64{"b": 2})}
	cases := []struct {
		value lattice.Value
		want  string
	}{
		{a(lattice.BoolKind, lattice.EnableOp()), "0101"},
		{a(lattice.MaxKind, lattice.OfferOp(lattice.IntScalar(-2))), "020103"},
		{a(lattice.MinKind, lattice.OfferOp(lattice.FloatScalar(1.5))), "03023ff8000000000000"},
		{a(lattice.SetKind, lattice.AddOp("y", "x")), "040201780179"},
		{a(lattice.OrderedSetKind, lattice.AddOp("y", "x")), "050201780179"},
		{a(lattice.MapKind, lattice.PutOp("f", lattice.BoolKind, lattice.EnableOp())), "0601016602" + "0101"},
		{a(lattice.LWWKind, lattice.SetOp([]byte("p"))), "070101016101" + "70"},
		{a(lattice.PriorityKind, lattice.SetPriorityOp(1.5, []byte("p"))), "08013ff80000000000000170"},
		{a(lattice.ClockKind, lattice.TickOp()), "0901016101"},
		{a(lattice.CausalKind, lattice.SetOp([]byte("p"))), "0a01" + "01016101" + "0170"},
		{a(lattice.MultiCausalKind, lattice.SetAfterOp([]byte("p"), seen)), "0b01" + "01016101" + "0170" + "01016b01016202"},
		{a(lattice.GCounterKind, lattice.IncOp(300)), "0c010161ac02" + "00"},
		{a(lattice.PNCounterKind, lattice.IncOp(-1), lattice.IncOp(2)), "0d" + "0101610200" + "0101610100"},
		{a(lattice.ORSetKind, lattice.AddOp("x", "y"), lattice.RemoveOp("x")), "0e" + "0101610101" + "01" + "01" + "0179" + "01016102"},
		{a(lattice.ORMapKind, lattice.PutOp("f", lattice.BoolKind, lattice.EnableOp())), "0f" + "0101610101" + "00" + "010166" + "0101" + "01016101" + "020101"},
		{a(lattice.MVRegisterKind, lattice.SetOp([]byte("p"))), "10" + "0101610101" + "00" + "01016101" + "0170"},
		{a(lattice.FlagKind, lattice.EnableOp()), "11" + "0101610101" + "00" + "01016101"},
	}
	covered := map[lattice.Kind]bool{}
	for _, c := range cases {
		covered[c.value.Kind()] = true
		if got := hex.EncodeToString(c.value.AppendBinary(nil)); got != c.want {
			t.Errorf("%s: %s, want %s", c.value.Kind(), got, c.want)
		}
	}
	for _, kind := range lattice.Kinds() {
		if !covered[kind] {
			t.Errorf("%s is not pinned", kind)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]string{
		"nothing":                         "",
		"no kind":                         "00",
		"unknown kind":                    "12",
		"a truth value of 2":              "0102",
		"varint of two bytes for one":     "04" + "8000",
		"varint past 64 bits":             "0c010161" + "ffffffffffffffffff02",
		"elements in disorder":            "040201790178",
		"an element twice":                "040201780178",
		"a million elements":              "04c0843d",
		"a string past the end":           "040105" + "78",
		"a zero count":                    "0c01016100",
		"a NaN scalar":                    "02027ff8000000000001",
		"a -0 scalar":                     "02028000000000000000",
		"a -0 priority":                   "080180000000000000000170",
		"an odd NaN priority":             "08017ff80000000000ff0170",
		"an unknown scalar":               "0204",
		"a writer without spans":          "110101610000",
		"spans that touch":                "1101016102" + "0100" + "0100" + "00",
		"a span past 64 bits":             "1101016101" + "02ffffffffffffffffff01" + "00",
		"a dot that was never seen":       "11" + "0101610100" + "00" + "01016102",
		"a dot with sequence number 0":    "11" + "0101610100" + "00" + "01016100",
		"a dot that lives twice":          "0e" + "0101610100" + "00" + "02" + "0178" + "01016101" + "0179" + "01016101",
		"an element without a dot":        "0e" + "00" + "01" + "0178" + "00",
		"a version that was replaced":     "0a02" + "01016101" + "00" + "01016102" + "00",
		"a version twice":                 "0a02" + "01016101" + "00" + "01016101" + "00",
		"a contribution of another kind":  "0f" + "0101610100" + "00" + "010166" + "0101" + "01016101" + "030c00",
		"a field of an unknown kind":      "0f" + "0101610100" + "00" + "010166" + "0163",
		"a field of a kind without a dot": "0f" + "0101610100" + "00" + "010166" + "020100" + "1101016101",
		"a nested value that ends early":  "06010166" + "03" + "0101" + "00",
	}
	for name, in := range cases {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := lattice.Decode(b); !errors.Is(err, lattice.ErrMalformed) || !v.IsZero() {
			t.Errorf("%s: got a %s and %v, want ErrMalformed", name, v.Kind(), err)
		}
	}
}

func TestDecodeBoundsDepth(t *testing.T) {
	encoded := lattice.New(lattice.BoolKind).AppendBinary(nil)
	for depth := 1; depth < 25; depth++ {
		if _, err := lattice.Decode(encoded); (err == nil) != (depth <= 18) {
			t.Errorf("depth %d: %v", depth, err)
		}
		inner := append([]byte{byte(len(encoded))}, encoded...)
		encoded = append([]byte{byte(lattice.MapKind), 1, 1, 'f'}, inner...)
	}
}

// What Apply accepts can be decoded, however deep; deeper is refused, not stored.
func TestApplyBoundsDepth(t *testing.T) {
	kinds := []lattice.Kind{lattice.MapKind, lattice.ORMapKind}
	for pattern := range 8 {
		op, kind := lattice.AddOp("x"), lattice.SetKind
		for depth := 2; depth < 20; depth++ {
			op, kind = lattice.PutOp("f", kind, op), kinds[pattern>>(depth%3)&1]
			delta, err := lattice.Apply(lattice.New(kind), op, lattice.Write{Writer: "w"})
			_, opErr := lattice.DecodeOp(op.AppendBinary(nil))
			if depth > 16 {
				if !errors.Is(err, lattice.ErrInvalid) || !errors.Is(opErr, lattice.ErrMalformed) {
					t.Errorf("depth %d: got %v, %v", depth, err, opErr)
				}
				continue
			}
			if err != nil || opErr != nil {
				t.Fatalf("depth %d: got %v, %v", depth, err, opErr)
			}
			if _, err := lattice.Decode(delta.AppendBinary(nil)); err != nil {
				t.Errorf("depth %d: what was made does not decode: %v", depth, err)
			}
		}
	}
}

func TestDecodeKeepsNothingOfItsInput(t *testing.T) {
	for _, kind := range lattice.Kinds() {
		r := newReplica(t, "writer", kind)
		switch kind {
		case lattice.MapKind, lattice.ORMapKind:
			r.do(lattice.PutOp("field", lattice.LWWKind, lattice.SetOp([]byte("payload"))))
		case lattice.LWWKind, lattice.MVRegisterKind, lattice.CausalKind, lattice.MultiCausalKind:
			r.do(lattice.SetOp([]byte("payload")))
		case lattice.PriorityKind:
			r.do(lattice.SetPriorityOp(1, []byte("payload")))
		case lattice.SetKind, lattice.OrderedSetKind, lattice.ORSetKind:
			r.do(lattice.AddOp("element"))
		}
		encoded := r.value.AppendBinary(nil)
		in := bytes.Clone(encoded)
		v, err := lattice.Decode(in)
		if err != nil {
			t.Fatal(err)
		}
		clear(in)
		if !bytes.Equal(v.AppendBinary(nil), encoded) {
			t.Errorf("%s changed with the bytes that it was decoded from", kind)
		}
	}
}

func TestMismatchChangesNothing(t *testing.T) {
	set := func(path ...string) lattice.Op {
		op, kind := lattice.AddOp("x"), lattice.SetKind
		for _, field := range slices.Backward(path) {
			op, kind = lattice.PutOp(field, kind, op), lattice.MapKind
		}
		return op
	}
	cases := []struct {
		name       string
		into, from []lattice.Op // of maps
		want       string
	}{
		{"a field", []lattice.Op{set("b")}, []lattice.Op{set("a"), lattice.PutOp("b", lattice.BoolKind, lattice.EnableOp())}, `in field "b": have set, got bool`},
		{"a field of a field", []lattice.Op{set("m", "b")}, []lattice.Op{set("m", "a"), set("m", "b", "c")}, `in field "m/b": have set, got map`},
	}
	for _, c := range cases {
		into, from := newReplica(t, "a", lattice.MapKind), newReplica(t, "b", lattice.MapKind)
		into.do(c.into...)
		from.do(c.from...)
		checkMismatch(t, into.value, from.value, c.want)
	}
	for _, kind := range lattice.Kinds()[1:] {
		checkMismatch(t, lattice.New(kind), lattice.New(lattice.BoolKind), "have "+kind.String()+", got bool")
	}
	checkMismatch(t, lattice.Value{}, lattice.New(lattice.BoolKind), "have none, got bool")
	checkMismatch(t, lattice.Value{}, lattice.Value{}, "have none, got none")
}

func checkMismatch(t *testing.T, into, from lattice.Value, want string) {
	t.Helper()
	before := into.AppendBinary(nil)
	grew, err := into.Merge(from)
	var mismatch *lattice.KindMismatchError
	if grew || !errors.As(err, &mismatch) || !errors.Is(err, lattice.ErrKindMismatch) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, %v; want %q", grew, err, want)
	}
	if !bytes.Equal(into.AppendBinary(nil), before) {
		t.Errorf("a refused merge changed the value: %x, was %x", into.AppendBinary(nil), before)
	}
}

func TestReadingAPayloadAllocatesNothing(t *testing.T) {
	r := newReplica(t, "a", lattice.LWWKind)
	r.do(lattice.SetOp([]byte("payload")))
	allocs := testing.AllocsPerRun(100, func() {
		if payload, ok := r.value.Payload(); !ok || len(payload) != 7 {
			t.Error("payload lost")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestNewRefusesWhatIsNoKind(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	lattice.New(lattice.NoKind)
}
