package lattice_test

import (
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/lattice/latticetest"
)

// replica is one store of a key, in tests.
type replica struct {
	t      *testing.T
	writer string
	value  lattice.Value
	time   uint64
}

func newReplica(t *testing.T, writer string, kind lattice.Kind) *replica {
	return &replica{t: t, writer: writer, value: lattice.New(kind)}
}

// do applies operations and gives the delta of the last.
func (r *replica) do(ops ...lattice.Op) (delta lattice.Value) {
	r.t.Helper()
	for _, op := range ops {
		r.time++
		at := lattice.Write{Stamp: lattice.Stamp{Time: r.time, Node: r.writer}, Writer: r.writer}
		var err error
		if delta, err = latticetest.ApplyChecked(r.value, op, at); err != nil {
			r.t.Fatalf("%s: %v", op, err)
		}
		r.get(delta)
	}
	return delta
}

// get merges what arrives.
func (r *replica) get(deltas ...lattice.Value) {
	r.t.Helper()
	for _, delta := range deltas {
		if _, err := r.value.Merge(delta); err != nil {
			r.t.Fatal(err)
		}
	}
}

// exchange brings two replicas to the same value.
func exchange(t *testing.T, a, b *replica) {
	t.Helper()
	a.get(b.value)
	b.get(a.value)
	if a.value.Compare(b.value) != lattice.Equal {
		t.Fatal("replicas differ after they exchanged all")
	}
}

func (r *replica) field(path ...string) lattice.Value {
	r.t.Helper()
	v := r.value
	for _, name := range path {
		field, ok := v.Field(name)
		if !ok {
			return lattice.Value{}
		}
		v = field
	}
	return v
}

func put(field string, kind lattice.Kind, op lattice.Op) lattice.Op {
	return lattice.PutOp(field, kind, op)
}

func TestORMapPutWinsOverDrop(t *testing.T) {
	a, b := newReplica(t, "a", lattice.ORMapKind), newReplica(t, "b", lattice.ORMapKind)
	b.get(a.do(put("n", lattice.GCounterKind, lattice.IncOp(3))))
	b.do(lattice.DropOp("n"))
	a.do(put("n", lattice.GCounterKind, lattice.IncOp(4)))
	exchange(t, a, b)
	if n, ok := b.field("n").Count(); !ok || n != 7 {
		t.Errorf("count %d, %v: want 7, for the writer's total came back with its put", n, ok)
	}
	a.do(lattice.DropOp("n"))
	exchange(t, a, b)
	if b.value.Len() != 0 {
		t.Error("a drop that saw every put had no effect")
	}
	a.do(put("n", lattice.GCounterKind, lattice.IncOp(1)))
	exchange(t, a, b)
	if n, _ := b.field("n").Count(); n != 1 {
		t.Errorf("count %d after a drop and one inc, want 1", n)
	}
}

// A removal of an element that a drop overtakes must not bring the element back.
func TestORMapDropKeepsElementsRemoved(t *testing.T) {
	a, b, c := newReplica(t, "a", lattice.ORMapKind), newReplica(t, "b", lattice.ORMapKind), newReplica(t, "c", lattice.ORMapKind)
	added := a.do(put("s", lattice.ORSetKind, lattice.AddOp("x", "y")))
	b.get(added)
	removed := b.do(put("s", lattice.ORSetKind, lattice.RemoveOp("x")), put("s", lattice.ORSetKind, lattice.AddOp("z")))
	c.get(removed)
	dropped := c.do(lattice.DropOp("s"))
	d := newReplica(t, "d", lattice.ORMapKind)
	d.get(dropped, b.value, added)
	if got := slices.Collect(d.field("s").Elements()); !slices.Equal(got, []string{"y"}) {
		t.Errorf("elements %q, want only y: z was dropped and x removed", got)
	}
}

// A causal register in a field that is dropped and made again must not give a
// clock twice: what is left of the earlier life would win over the new.
func TestORMapCausalFieldIsNotOvertakenByItsPast(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.CausalKind, lattice.MultiCausalKind} {
		a, b := newReplica(t, "a", lattice.ORMapKind), newReplica(t, "b", lattice.ORMapKind)
		b.get(a.do(put("r", kind, lattice.SetOp([]byte("old")))))
		b.do(put("r", kind, lattice.SetOp([]byte("beside"))))
		a.do(lattice.DropOp("r"), put("r", kind, lattice.SetOp([]byte("new"))))
		exchange(t, a, b)
		var got []string
		for payload := range a.field("r").Siblings() {
			got = append(got, string(payload))
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"beside", "new"}) {
			t.Errorf("%s: siblings %q, want beside and new", kind, got)
		}
	}
}

func TestORMapNests(t *testing.T) {
	a, b := newReplica(t, "a", lattice.ORMapKind), newReplica(t, "b", lattice.ORMapKind)
	within := func(op lattice.Op) lattice.Op {
		return put("m", lattice.MapKind, put("o", lattice.ORMapKind, op))
	}
	a.do(
		within(put("flag", lattice.FlagKind, lattice.EnableOp())),
		within(put("mv", lattice.MVRegisterKind, lattice.SetOp([]byte("1")))),
		within(put("set", lattice.ORSetKind, lattice.AddOp("x", "y"))),
		within(put("lww", lattice.LWWKind, lattice.SetOp([]byte("p")))),
	)
	b.get(a.value)
	b.do(within(put("set", lattice.ORSetKind, lattice.RemoveOp("x"))), within(lattice.DropOp("lww")))
	a.do(within(put("flag", lattice.FlagKind, lattice.DisableOp())), within(put("set", lattice.ORSetKind, lattice.AddOp("z"))))
	exchange(t, a, b)
	if got := slices.Collect(a.field("m", "o").Names()); !slices.Equal(got, []string{"mv", "set"}) {
		t.Errorf("fields %q", got)
	}
	if got := slices.Collect(a.field("m", "o", "set").Elements()); !slices.Equal(got, []string{"y", "z"}) {
		t.Errorf("elements %q", got)
	}
	a.do(lattice.DropOp("m"))
	if a.value.Len() != 0 || a.value.Context().Spans() != 1 {
		t.Errorf("%d fields, %d spans after the drop", a.value.Len(), a.value.Context().Spans())
	}
}

// A view of a field is a value in its own right.
func TestORMapFieldsEncode(t *testing.T) {
	a := newReplica(t, "a", lattice.ORMapKind)
	a.do(put("s", lattice.ORSetKind, lattice.AddOp("x")), put("m", lattice.MapKind, put("f", lattice.FlagKind, lattice.EnableOp())))
	for name, field := range a.value.Fields() {
		decoded, err := lattice.Decode(field.AppendBinary(nil))
		if err != nil || decoded.Compare(field) != lattice.Equal {
			t.Errorf("field %s: %v", name, err)
		}
	}
}

func TestORMapKindsThatMeetLiveSideBySide(t *testing.T) {
	a, b := newReplica(t, "a", lattice.ORMapKind), newReplica(t, "b", lattice.ORMapKind)
	a.do(put("f", lattice.ORSetKind, lattice.AddOp("x")))
	b.do(put("f", lattice.LWWKind, lattice.SetOp([]byte("p"))))
	exchange(t, a, b)
	if kind := a.field("f").Kind(); kind != lattice.LWWKind {
		t.Errorf("field of %s, want the kind with the smaller number", kind)
	}
	a.do(put("f", lattice.ORSetKind, lattice.AddOp("y")), lattice.DropOp("f"), put("f", lattice.FlagKind, lattice.EnableOp()))
	exchange(t, a, b)
	if kind := b.field("f").Kind(); kind != lattice.FlagKind || b.value.Len() != 1 {
		t.Errorf("field of %s after a drop, want flag", kind)
	}
}
