package fn_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// library is a Library over lattices in memory, with one function, add.
type library struct {
	cells map[mesh.Key]lattice.Value
	sent  []fn.Message
	runs  map[mesh.RunID]mesh.Value
	clock lattice.Stamp
}

func newContext(t *testing.T) (context.Context, *library) {
	lib := &library{cells: map[mesh.Key]lattice.Value{}, runs: map[mesh.RunID]mesh.Value{}}
	return fn.WithLibrary(t.Context(), lib), lib
}

func (l *library) ID() mesh.InvocationID { return mesh.InvocationID{Node: "n", Stage: "s"} }

func (l *library) Namespace() string { return "own" }

func (l *library) Get(_ context.Context, key mesh.Key) (lattice.Value, error) {
	value, ok := l.cells[key]
	if !ok {
		return lattice.Value{}, mesh.Errorf(mesh.NotFound, "get", "no key %v", key)
	}
	return value, nil
}

func (l *library) Put(_ context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	value, ok := l.cells[key]
	if !ok {
		value = lattice.New(kind)
	}
	l.clock = l.clock.Next(time.Now())
	delta, err := lattice.Apply(value, op, lattice.Write{Stamp: l.clock, Writer: "w"})
	if err != nil {
		return err
	}
	_, err = value.Merge(delta)
	l.cells[key] = value
	return err
}

func (l *library) Delete(_ context.Context, key mesh.Key) error {
	delete(l.cells, key)
	return nil
}

func (l *library) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	if ref != (mesh.FuncRef{Namespace: "own", Name: "add"}) {
		return mesh.Value{}, mesh.Errorf(mesh.NotFound, "call", "no function %v", ref)
	}
	return fn.Wrap(func(_ context.Context, in fn.Args2[int, int]) (int, error) { return in.A + in.B, nil })(ctx, args)
}

func (l *library) Start(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.RunID, error) {
	result, err := l.Call(ctx, ref, args)
	id := mesh.NewRunID()
	l.runs[id] = result
	return id, err
}

// CallDAG knows the DAG "sums", which adds for each stage and gives an object.
func (l *library) CallDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.Value, error) {
	if dag != (mesh.FuncRef{Namespace: "own", Name: "sums"}) {
		return mesh.Value{}, mesh.Errorf(mesh.NotFound, "call dag", "no dag %v", dag)
	}
	sums := map[string]int{}
	for _, arg := range args {
		var n int
		if err := codec.Decode(arg.Value, &n); err != nil {
			return mesh.Value{}, err
		}
		sums[arg.Stage] += n
	}
	return codec.Encode(sums)
}

func (l *library) StartDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.RunID, error) {
	result, err := l.CallDAG(ctx, dag, args)
	id := mesh.NewRunID()
	l.runs[id] = result
	return id, err
}

func (l *library) Await(_ context.Context, id mesh.RunID, _ bool) (mesh.RunState, mesh.Value, error) {
	result, ok := l.runs[id]
	if !ok {
		return 0, mesh.Value{}, mesh.Errorf(mesh.NotFound, "await", "no run %v", id)
	}
	return mesh.Succeeded, result, nil
}

func (l *library) Send(_ context.Context, to mesh.InvocationID, body mesh.Value) error {
	l.sent = append(l.sent, fn.Message{From: to, Body: body})
	return nil
}

func (l *library) Recv(context.Context, time.Duration) ([]fn.Message, error) {
	sent := l.sent
	l.sent = nil
	return sent, nil
}

func TestState(t *testing.T) {
	ctx, _ := newContext(t)
	_, err := fn.Get[int](ctx, "n")
	wantError(t, err, mesh.NotFound, "own/n")
	if err := fn.Put(ctx, "n", 5); err != nil {
		t.Fatal(err)
	}
	if n, err := fn.Get[int](ctx, mesh.Key{Namespace: "own", Name: "n"}); err != nil || n != 5 {
		t.Errorf("n is %d, %v", n, err)
	}
	_, err = fn.Get[string](ctx, "n")
	wantError(t, err, mesh.Invalid, "get n: Invalid: expected string, got positive integer")
	if err := fn.Delete(ctx, "n"); err != nil {
		t.Error(err)
	}
	_, err = fn.Get[int](ctx, "n")
	wantError(t, err, mesh.NotFound, "own/n")
	wantError(t, fn.Put(ctx, "", 1), mesh.Invalid, "0 bytes")
	wantError(t, fn.Put(ctx, "n", mesh.Value{}), mesh.Invalid, "no value")
	wantError(t, fn.Put(t.Context(), "n", 1), mesh.Invalid, "not that of a running function")

	for range 3 {
		if err := fn.Inc(ctx, "count", -2); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := fn.Get[int](ctx, "count"); err != nil || n != -6 {
		t.Errorf("count is %d, %v", n, err)
	}
	if err := fn.Add(ctx, "tags", "b", "a", "c"); err != nil {
		t.Fatal(err)
	}
	if err := fn.Remove(ctx, "tags", "b"); err != nil {
		t.Fatal(err)
	}
	if tags, err := fn.Get[[]string](ctx, "tags"); err != nil || fmt.Sprint(tags) != "[a c]" {
		t.Errorf("tags are %v, %v", tags, err)
	}
	whole, err := fn.Read(ctx, "tags")
	if err != nil || whole.Kind() != lattice.ORSetKind || whole.Len() != 2 {
		t.Errorf("%v with %d elements, %v", whole.Kind(), whole.Len(), err)
	}
}

func TestCallsAndMessages(t *testing.T) {
	ctx, _ := newContext(t)
	if sum, err := fn.Call[int](ctx, "add", 2, 3); err != nil || sum != 5 {
		t.Errorf("add gave %d, %v", sum, err)
	}
	if sum, err := fn.Call[int](ctx, "own/add", 2, 3); err != nil || sum != 5 {
		t.Errorf("own/add gave %d, %v", sum, err)
	}
	_, err := fn.Call[int](ctx, "other/add", 2, 3)
	wantError(t, err, mesh.NotFound, "other/add")
	_, err = fn.Call[string](ctx, "add", 2, 3)
	wantError(t, err, mesh.Invalid, "call add: Invalid: result: expected string")
	_, err = fn.Call[int](ctx, "add", make(chan int))
	wantError(t, err, mesh.Invalid, "argument 1")
	_, err = fn.Call[int](ctx, "no name")
	wantError(t, err, mesh.Invalid, "no name")

	id := fn.ID(ctx)
	if id.Stage != "s" || fn.ID(t.Context()) != (mesh.InvocationID{}) {
		t.Errorf("id is %v", id)
	}
	if err := fn.Send(ctx, id, "hello"); err != nil {
		t.Fatal(err)
	}
	if got, err := fn.Recv[string](ctx, 0); err != nil || len(got) != 1 || got[0].Body != "hello" || got[0].From != id {
		t.Errorf("received %v, %v", got, err)
	}
	if err := fn.Send(ctx, id, 5); err != nil {
		t.Fatal(err)
	}
	_, err = fn.Recv[string](ctx, 0)
	wantError(t, err, mesh.Invalid, "message 1: expected string")
}

func TestEachKindHasAPlainValue(t *testing.T) {
	payload := func(v any) []byte {
		value, err := codec.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return value.AppendBinary(nil)
	}
	element := string(payload("e"))
	for _, test := range []struct {
		kind lattice.Kind
		op   lattice.Op
		want string // as JSON
		zero string // before the first write
	}{
		{lattice.LWWKind, lattice.SetOp(payload(5)), `5`, `null`},
		{lattice.PriorityKind, lattice.SetPriorityOp(1, payload("p")), `"p"`, `null`},
		{lattice.CausalKind, lattice.SetOp(payload("c")), `"c"`, `null`},
		{lattice.MultiCausalKind, lattice.SetOp(payload("m")), `"m"`, `null`},
		{lattice.MVRegisterKind, lattice.SetOp(payload("v")), `"v"`, `null`},
		{lattice.SetKind, lattice.AddOp(element), `["e"]`, `[]`},
		{lattice.OrderedSetKind, lattice.AddOp(element), `["e"]`, `[]`},
		{lattice.ORSetKind, lattice.AddOp(element), `["e"]`, `[]`},
		{lattice.GCounterKind, lattice.IncOp(3), `3`, `0`},
		{lattice.PNCounterKind, lattice.IncOp(-3), `-3`, `0`},
		{lattice.BoolKind, lattice.EnableOp(), `true`, `false`},
		{lattice.FlagKind, lattice.EnableOp(), `true`, `false`},
		{lattice.MaxKind, lattice.OfferOp(lattice.IntScalar(4)), `4`, `null`},
		{lattice.MinKind, lattice.OfferOp(lattice.FloatScalar(0.5)), `0.5`, `null`},
		{lattice.MaxKind, lattice.OfferOp(lattice.TextScalar("t")), `"t"`, `null`},
		{lattice.MaxKind, lattice.OfferOp(lattice.TextScalar("\xff")), `"/w=="`, `null`},
		{lattice.MapKind, lattice.PutOp("f", lattice.GCounterKind, lattice.IncOp(1)), `{"f":1}`, `{}`},
		{lattice.ORMapKind, lattice.PutOp("f", lattice.LWWKind, lattice.SetOp(payload(true))), `{"f":true}`, `{}`},
		{lattice.ClockKind, lattice.TickOp(), `{"w":1}`, `{}`},
		{lattice.ClockKind, lattice.ObserveOp(lattice.NewVectorClock(map[string]uint64{"\xff\x01": 2})), `{"/wE=":2}`, `{}`},
	} {
		lib := &library{cells: map[mesh.Key]lattice.Value{}}
		key := mesh.Key{Namespace: "own", Name: "k"}
		check := func(state lattice.Value, want string) {
			t.Helper()
			plain, err := fn.Plain(state)
			if err != nil {
				t.Errorf("%v: %v", test.kind, err)
				return
			}
			if text, err := codec.ToJSON(plain, ""); err != nil || string(text) != want {
				t.Errorf("%v is %s, %v; expected %s", test.kind, text, err, want)
			}
		}
		check(lattice.New(test.kind), test.zero)
		if err := lib.Put(t.Context(), key, test.kind, test.op); err != nil {
			t.Errorf("%v: %v", test.kind, err)
			continue
		}
		check(lib.cells[key], test.want)
	}
	_, err := fn.Plain(lattice.Value{})
	wantError(t, err, mesh.Invalid, "none has no plain value")
}

// Of concurrent values all who hold the same see the same one, and can have all.
func TestOfConcurrentValuesOneIsSeenByAll(t *testing.T) {
	for _, kind := range []lattice.Kind{lattice.MVRegisterKind, lattice.CausalKind} {
		var deltas []lattice.Value
		for _, writer := range []string{"a", "b", "c"} {
			op := lattice.SetOp(append([]byte{byte(mesh.Text)}, writer...))
			delta, err := lattice.Apply(lattice.New(kind), op, lattice.Write{Writer: writer})
			if err != nil {
				t.Fatal(err)
			}
			deltas = append(deltas, delta)
		}
		seen := map[string]int{}
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1, 1, 0, 2}} {
			state := lattice.New(kind)
			for _, i := range order {
				if _, err := state.Merge(deltas[i]); err != nil {
					t.Fatal(err)
				}
			}
			if state.Len() != 3 {
				t.Fatalf("%v holds %d values", kind, state.Len())
			}
			v, err := fn.Plain(state)
			if err != nil {
				t.Fatal(err)
			}
			seen[string(v.Data)]++
		}
		if len(seen) != 1 {
			t.Errorf("of concurrent values of a %v are seen %v", kind, seen)
		}
	}
}
