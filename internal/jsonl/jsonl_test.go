package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
	"github.com/virga-mesh/virga/mesh"
)

var aKey = mesh.Key{Namespace: "default", Name: "k"}

// textOf writes a value as that of aKey.
func textOf(t *testing.T, v lattice.Value) string {
	t.Helper()
	var out strings.Builder
	w := NewWriter(&out)
	if err := w.Write(aKey, v, time.Time{}, false); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// readAll reads all lines.
func readAll(text string) (entries []Entry, err error) {
	r := NewReader(strings.NewReader(text))
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}

// made applies operations one after another, as one writer does.
func made(kind lattice.Kind, ops ...lattice.Op) (lattice.Value, error) {
	v := lattice.New(kind)
	for i, op := range ops {
		delta, err := lattice.Apply(v, op, lattice.Write{Writer: "w", Stamp: lattice.Stamp{Time: uint64(i) + 1, Node: "n"}})
		if err != nil {
			return v, fmt.Errorf("%v: %w", op, err)
		}
		if _, err := v.Merge(delta); err != nil {
			return v, fmt.Errorf("%v: %w", op, err)
		}
	}
	return v, nil
}

// rewritten reads what was written and makes it anew.
func rewritten(t *testing.T, kind lattice.Kind, text string) (v lattice.Value, left int) {
	t.Helper()
	entries, err := readAll(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var ops []lattice.Op
	for _, e := range entries {
		if e.Kind != kind || e.Key != aKey {
			t.Fatalf("%s is of %v, kind %v", text, e.Key, e.Kind)
		}
		ops = append(ops, e.Ops...)
		left += e.Left
	}
	v, err = made(kind, ops...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v, left
}

func TestValuesOfEachKind(t *testing.T) {
	text := func(s string) []byte { return encoded(t, s) }
	element := func(s string) string { return string(encoded(t, s)) }
	for _, c := range []struct {
		kind lattice.Kind
		ops  []lattice.Op
		want string
	}{
		{lattice.LWWKind, []lattice.Op{lattice.SetOp(text("hello"))}, `"hello"`},
		{lattice.MVRegisterKind, []lattice.Op{lattice.SetOp(encoded(t, 1))}, `[1]`},
		{lattice.CausalKind, []lattice.Op{lattice.SetOp(text("a"))}, `["a"]`},
		{lattice.MultiCausalKind, []lattice.Op{lattice.SetOp(text("a"))}, `["a"]`},
		{lattice.SetKind, []lattice.Op{lattice.AddOp(element("b"), element("a"))}, `["a","b"]`},
		{lattice.OrderedSetKind, []lattice.Op{lattice.AddOp(element("b"), element("a"))}, `["a","b"]`},
		{lattice.ORSetKind, []lattice.Op{lattice.AddOp(element("b"), element("a")), lattice.RemoveOp(element("b"))}, `["a"]`},
		{lattice.ORSetKind, []lattice.Op{lattice.AddOp(element("b")), lattice.RemoveOp(element("b"))}, `[]`},
		{lattice.GCounterKind, []lattice.Op{lattice.IncOp(7)}, `7`},
		{lattice.PNCounterKind, []lattice.Op{lattice.IncOp(-7)}, `-7`},
		{lattice.MaxKind, []lattice.Op{lattice.OfferOp(lattice.IntScalar(7))}, `7`},
		{lattice.MaxKind, []lattice.Op{lattice.OfferOp(lattice.FloatScalar(7))}, `7.0`},
		{lattice.MaxKind, []lattice.Op{lattice.OfferOp(lattice.FloatScalar(1e300))}, `1e+300`},
		{lattice.MinKind, []lattice.Op{lattice.OfferOp(lattice.FloatScalar(math.Inf(-1)))}, `{"float":"-Infinity"}`},
		{lattice.MinKind, []lattice.Op{lattice.OfferOp(lattice.TextScalar("x"))}, `"x"`},
		{lattice.MinKind, []lattice.Op{lattice.OfferOp(lattice.TextScalar("\xff"))}, `{"bytes":"/w=="}`},
		{lattice.BoolKind, []lattice.Op{lattice.EnableOp()}, `true`},
		{lattice.FlagKind, []lattice.Op{lattice.EnableOp()}, `true`},
		{lattice.FlagKind, []lattice.Op{lattice.EnableOp(), lattice.DisableOp()}, `false`},
		{lattice.PriorityKind, []lattice.Op{lattice.SetPriorityOp(2, text("a"))}, `{"priority":2.0,"value":"a"}`},
		{lattice.PriorityKind, []lattice.Op{lattice.SetPriorityOp(math.Inf(1), text("a"))}, `{"priority":{"float":"Infinity"},"value":"a"}`},
		{lattice.ClockKind, []lattice.Op{lattice.TickOp()}, `[{"writer":"w","count":1}]`},
		{lattice.ClockKind, []lattice.Op{lattice.ObserveOp(lattice.NewVectorClock(map[string]uint64{"\xff": math.MaxUint64}))}, `[{"writer-base64":"/w==","count":18446744073709551615}]`},
		{lattice.MapKind, []lattice.Op{
			lattice.PutOp("b", lattice.GCounterKind, lattice.IncOp(2)),
			lattice.PutOp("a", lattice.MapKind, lattice.PutOp("\xff", lattice.SetKind, lattice.AddOp(element("x")))),
		}, `[{"field":"a","kind":"map","value":[{"field-base64":"/w==","kind":"set","value":["x"]}]},{"field":"b","kind":"gcounter","value":2}]`},
		{lattice.ORMapKind, []lattice.Op{
			lattice.PutOp("a", lattice.LWWKind, lattice.SetOp(text("x"))),
			lattice.PutOp("b", lattice.ORMapKind, lattice.PutOp("c", lattice.FlagKind, lattice.EnableOp())),
		}, `[{"field":"a","kind":"lww","value":"x"},{"field":"b","kind":"or-map","value":[{"field":"c","kind":"flag","value":true}]}]`},
	} {
		v, err := made(c.kind, c.ops...)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"namespace":"default","key":"k","kind":"%s","value":%s}`+"\n", c.kind, c.want)
		got := textOf(t, v)
		if got != want {
			t.Errorf("%s after %v is %s, want %s", c.kind, c.ops, got, want)
		}
		again, _ := rewritten(t, c.kind, got)
		if text := textOf(t, again); text != got {
			t.Errorf("%s becomes %s", got, text)
		}
	}
}

// What random histories lead to is written, read, made anew and written
// again: the two texts are the same, but for concurrent values.
func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, kind := range lattice.Kinds() {
		for range 150 {
			v := randomValue(t, kind, rng)
			text := textOf(t, v)
			again, left := rewritten(t, kind, text)
			if second := textOf(t, again); left == 0 && second != text {
				t.Fatalf("%s becomes %s", text, second)
			} else if _, left := rewritten(t, kind, second); left > 0 {
				t.Fatalf("%s, written once more, has concurrent values: %s", text, second)
			}
		}
	}
}

// randomValue has a history of two replicas that merge now and then.
func randomValue(t *testing.T, kind lattice.Kind, rng *rand.Rand) lattice.Value {
	t.Helper()
	replicas := []lattice.Value{lattice.New(kind), lattice.New(kind)}
	merge := func(into, from int) {
		if _, err := replicas[into].Merge(replicas[from]); err != nil {
			t.Fatal(err)
		}
	}
	for step := range rng.IntN(20) {
		at := rng.IntN(2)
		delta, err := lattice.Apply(replicas[at], latticetest.RandomOp(kind, rng), lattice.Write{
			Writer: fmt.Sprint("w", at), Stamp: lattice.Stamp{Time: uint64(step) + 1, Node: fmt.Sprint("n", at)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := replicas[at].Merge(delta); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 {
			merge(at, 1-at)
		}
	}
	merge(0, 1)
	return replicas[0]
}

func TestLargeCollectionsBecomeSeveralLines(t *testing.T) {
	const elements = 3000
	var all []string
	for i := range elements {
		all = append(all, string(encoded(t, fmt.Sprintf("%04d%s", i, strings.Repeat("x", 1000)))))
	}
	v, err := made(lattice.ORSetKind, lattice.AddOp(all...))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	expires := time.Unix(1_900_000_000, 5e6)
	for range 2 { // a second piece goes on counting
		if err := w.Write(aKey, v, expires, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	entries, err := readAll(out.String())
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, e := range entries {
		if e.Part != i+1 || e.Line != i+1 || !e.Expires.Equal(expires) {
			t.Errorf("line %d is part %d of line %d, expires %v", i+1, e.Part, e.Line, e.Expires)
		}
		for _, op := range e.Ops {
			part, err := made(lattice.ORSetKind, op)
			if err != nil {
				t.Fatal(err)
			}
			count += part.Len()
		}
	}
	for line := range bytes.Lines(out.Bytes()) {
		if len(line) > lineBytes+2000 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	keys, lines, size := w.Written()
	if count != 2*elements || keys != 1 || int(lines) != len(entries) || len(entries) < 6 || size != int64(out.Len()) {
		t.Errorf("%d elements in %d entries; written: %d keys, %d lines, %d of %d bytes", count, len(entries), keys, lines, size, out.Len())
	}
	whole, left := rewritten(t, lattice.ORSetKind, textOf(t, v)) // without pieces the first line is marked, too
	if !slices.Equal(slices.Collect(whole.Elements()), slices.Collect(v.Elements())) || left != 0 {
		t.Error("a set written in several lines is another when read")
	}
}

func TestConcurrentValuesAreCounted(t *testing.T) {
	text := `{"namespace":"default","key":"k","kind":"mv-register","value":["a","b","c"]}`
	v, left := rewritten(t, lattice.MVRegisterKind, text)
	if got := textOf(t, v); left != 2 || !strings.Contains(got, `["a"]`) {
		t.Errorf("%s becomes %s, with %d left", text, got, left)
	}
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	const good = `{"namespace":"default","key":"k","kind":"set","value":[]}`
	line := func(kind, value string) string {
		return fmt.Sprintf(`{"namespace":"default","key":"k","kind":"%s","value":%s}`, kind, value)
	}
	for _, c := range []struct{ line, want string }{
		{`nonsense`, "expected a JSON object"},
		{`[]`, "expected a JSON object"},
		{`{"namespace":"default"`, "expected JSON"},
		{good + `{}`, "more after it"},
		{good + ` x`, "more after it"},
		{`{"namespace":"default","key":"k","kind":"lww"}`, `"value" is missing`},
		{`{"key":"k","kind":"lww","value":1}`, `"namespace" is missing`},
		{`{"namespace":"default","key":"k","kind":"lww","value":1,"ttl":3}`, `unknown field "ttl": expected some of namespace, key`},
		{`{"Namespace":"default","key":"k","kind":"lww","value":1}`, `unknown field "Namespace"`},
		{`{"key":"k","key":"j","namespace":"default","kind":"lww","value":1}`, `"key" is there twice`},
		{`{"namespace":"Bad One","key":"k","kind":"lww","value":1}`, "expected 1 to 64 characters"},
		{`{"namespace":"default","key":"","kind":"lww","value":1}`, "expected 1 to 1024"},
		{`{"namespace":"default","key":7,"kind":"lww","value":1}`, `"key": 7: expected a string`},
		{`{"namespace":"default","key":"k","kind":"list","value":1}`, `kind "list": expected one of bool, causal`},
		{`{"namespace":"default","key":"k","kind":"lww","expires":"soon","value":1}`, "expected a time"},
		{`{"namespace":"default","key":"k","kind":"lww","part":0,"value":1}`, "at least 1"},
		{"{\"namespace\":\"default\",\"key\":\"\xff\",\"kind\":\"lww\",\"value\":1}", "not UTF-8"},
		{line("set", `"a"`), "expected an array of payloads"},
		{line("set", `null`), "expected an array of payloads"},
		{line("set", `["a",{"what":1}]`), `element 2: unknown field "what"`},
		{line("lww", `{"raw":"?"}`), "expected base64"},
		{line("lww", `{"text":"a","raw":""}`), "expected one of text, cbor"},
		{line("lww", `{"format":"cbor"}`), "expected both"},
		{line("lww", `{"format":"xml","base64":""}`), `format "xml": expected one of`},
		{line("lww", `{"protobuf":{"type":"t"}}`), `"value" is missing`},
		{line("gcounter", `-1`), "expected at least 0"},
		{line("gcounter", `1.5`), "expected a whole number"},
		{line("pncounter", `"1"`), "expected a whole number"},
		{line("max", `[1]`), "expected a number, a string"},
		{line("max", `{"float":"NaN"}`), "expected a number, a string"},
		{line("priority", `{"value":1}`), `"priority" is missing`},
		{line("priority", `{"priority":"1","value":1}`), "expected a number"},
		{line("flag", `1`), "expected true or false"},
		{line("clock", `{"w":1}`), "expected an array"},
		{line("clock", `[{"writer":"w","count":1},{"writer":"w","count":2}]`), "there twice"},
		{line("clock", `[{"writer":"w","count":-1}]`), "at least 0"},
		{line("map", `{"f":1}`), `objects with "field"`},
		{line("map", `[{"field":"f","kind":"lww","value":1},{"field":"f","kind":"lww","value":2}]`), `field 2: "f" is there twice`},
		{line("map", `[{"field":"f","field-base64":"Zg==","kind":"lww","value":1}]`), "or else"},
		{line("map", `[{"kind":"lww","value":1}]`), `expected a field "field"`},
		{line("or-map", `[{"field":"f","kind":"set","value":[{"cbor":}]}]`), "expected JSON"},
		{line("or-map", `[{"field":"f","kind":"set","value":7}]`), `field 1: "f": 7: expected an array`},
		{line("map", strings.Repeat(`[{"field":"f","kind":"map","value":`, 16)+`[]`+strings.Repeat(`}]`, 16)), "at most 15"},
	} {
		_, err := readAll(good + "\n\n" + c.line + "\n" + good)
		if !errors.Is(err, mesh.Invalid) || !strings.HasPrefix(err.Error(), "line 3: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n gives %v\n want Invalid at line 3: ...%s", c.line, err, c.want)
		}
	}
}

// Whatever is read is refused, or can be written.
func FuzzReader(f *testing.F) {
	for _, value := range []string{`"lww","value":"a"`, `"set","value":[1,{"raw":""}]`, `"max","value":{"float":"-Infinity"}`, `"clock","value":[{"writer":"w","count":1}]`, `"map","value":[{"field":"f","kind":"or-map","value":[]}]`, `"priority","value":{"priority":1,"value":{"json":{}}}`} {
		f.Add(`{"namespace":"default","key":"k","expires":"2027-01-31T12:00:00Z","part":1,"kind":` + value + `}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := readAll(text)
		if err != nil && !errors.Is(err, mesh.Invalid) {
			t.Fatalf("%v: want Invalid", err)
		}
		for _, e := range entries {
			v, err := made(e.Kind, e.Ops...)
			if err != nil {
				t.Fatalf("line %d: %v", e.Line, err)
			}
			aKey := e.Key
			var out strings.Builder
			w := NewWriter(&out)
			if err := errors.Join(w.Write(aKey, v, e.Expires, e.Part > 0), w.Flush()); err != nil {
				t.Fatal(err)
			}
			if _, err := readAll(out.String()); err != nil {
				t.Fatalf("%s: %v", out.String(), err)
			}
		}
	})
}
