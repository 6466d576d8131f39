package wire

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestErrorsSurviveTheWire(t *testing.T) {
	plain := errors.New("disk full")
	for _, test := range []struct {
		give error
		want mesh.Error
	}{
		{&mesh.Error{Kind: mesh.NotFound, Op: "get x", Msg: "no such key"}, mesh.Error{Kind: mesh.NotFound, Op: "get x", Node: "self", Msg: "no such key"}},
		{&mesh.Error{Kind: mesh.UserError, Node: "far", Stage: "square", Msg: "boom"}, mesh.Error{Kind: mesh.UserError, Node: "far", Stage: "square", Msg: "boom"}},
		{mesh.Errorf(mesh.Unavailable, "put", "store: %w", plain), mesh.Error{Kind: mesh.Unavailable, Op: "put", Node: "self", Msg: "store: disk full"}},
		{plain, mesh.Error{Kind: mesh.Internal, Node: "self", Msg: "disk full"}},
		{context.DeadlineExceeded, mesh.Error{Kind: mesh.DeadlineExceeded, Node: "self", Msg: "context deadline exceeded"}},
		{&mesh.Error{Kind: mesh.Overloaded, Msg: "full", RetryAfter: 20 * time.Millisecond}, mesh.Error{Kind: mesh.Overloaded, Node: "self", Msg: "full", RetryAfter: 20 * time.Millisecond}},
		{&mesh.Error{Kind: mesh.UserError, Msg: "bytes \xff"}, mesh.Error{Kind: mesh.UserError, Node: "self", Msg: "bytes \uFFFD"}},
	} {
		if got := ToError(overTheWire(t, FromError(test.give, "self"))); *got != test.want {
			t.Errorf("%v came back as %+v, want %+v", test.give, *got, test.want)
		}
	}
	for kind := mesh.Internal; kind <= mesh.Conflict; kind++ {
		if got := ToError(FromError(&mesh.Error{Kind: kind}, "self")); !errors.Is(got, kind) {
			t.Errorf("%s came back as %s", kind, got.Kind)
		}
	}
	if got := ToError(&pb.Error{Kind: 70000}); got.Kind != mesh.Internal {
		t.Errorf("an unknown kind is %s, want Internal", got.Kind)
	}
	if ToError(nil) != nil {
		t.Error("no error became one")
	}
	if long := FromError(errors.New(strings.Repeat("é", maxErrorText)), "self"); len(long.Message) > maxErrorText+3 {
		t.Errorf("the text has %d bytes", len(long.Message))
	}
}

func overTheWire[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(body, out); err != nil {
		t.Fatal(err)
	}
	return out.(M)
}

func TestWordsSurviveTheWire(t *testing.T) {
	key := mesh.Key{Namespace: "default", Name: "a key \x01 of bytes"}
	if got, err := ToKey(FromKey(key)); got != key || err != nil {
		t.Errorf("key: %v, %v", got, err)
	}
	for _, value := range []mesh.Value{{}, {Format: mesh.Raw, Data: []byte{0, 1}}, {Format: mesh.JSON, Data: []byte("2")}} {
		if got, err := ToValue(FromValue(value)); !reflect.DeepEqual(got, value) || err != nil {
			t.Errorf("value: %v, %v", got, err)
		}
	}
	info := mesh.FuncInfo{
		Ref: mesh.FuncRef{Namespace: "default", Name: "square", Version: "v"}, Kind: mesh.Wasm, Module: "abc", Size: 7, Export: "square",
		Limits: mesh.Limits{Memory: 1 << 20, Time: time.Second, Concurrency: 3}, Hosts: []mesh.NodeID{"a", "b"},
	}
	if got, err := ToFuncInfo(overTheWire(t, FromFuncInfo(info))); !reflect.DeepEqual(got, info) || err != nil {
		t.Errorf("function: %+v, %v", got, err)
	}
	dag := &mesh.DAG{
		Namespace: "default", Name: "pipeline",
		Stages: []mesh.Stage{
			{Name: "a", Func: mesh.FuncRef{Namespace: "default", Name: "incr"}},
			{Name: "b", Func: mesh.FuncRef{Namespace: "default", Name: "square"}, StageOptions: mesh.StageOptions{
				Any: &mesh.AnyOf{Invalid: []mesh.Value{{Format: mesh.JSON, Data: []byte("0")}}}, Timeout: time.Second,
				Map: mesh.Map{Parallel: 4}, Retry: mesh.Retry{Attempts: 3, Backoff: time.Millisecond, Longest: time.Second},
				Hedge: mesh.Hedge{On: true, After: time.Second}, Colocate: "g", Labels: map[string]string{"gpu": "yes"},
			}},
			{Name: "c", Func: mesh.FuncRef{Namespace: "default", Name: "sum"}, StageOptions: mesh.StageOptions{
				Batch: mesh.Batch{Size: 8, Within: time.Millisecond},
			}},
		},
		Edges: []mesh.Edge{{From: "a", To: "b"}, {From: "a", To: "c", When: mesh.Condition{Path: ".", Op: mesh.Greater, JSON: "3"}}},
	}
	if got, err := ToDAG(overTheWire(t, FromDAG(dag))); !reflect.DeepEqual(got, dag) || err != nil {
		t.Errorf("DAG: %+v, %v", got, err)
	}
	run := mesh.NewRunID()
	if got, err := ToRunID(run[:]); got != run || err != nil {
		t.Errorf("run id: %v, %v", got, err)
	}
}

func TestWrongWordsAreInvalid(t *testing.T) {
	dagOf := func(edges ...*pb.Edge) *pb.DAG {
		f := &pb.FuncRef{Namespace: "default", Name: "f"}
		return &pb.DAG{Namespace: "default", Name: "d", Stages: []*pb.Stage{{Name: "a", Func: f}, {Name: "b", Func: f}}, Edges: edges}
	}
	for name, convert := range map[string]func() error{
		"no key":              func() error { _, err := ToKey(nil); return err },
		"a key without name":  func() error { _, err := ToKey(&pb.Key{Namespace: "default"}); return err },
		"format 0":            func() error { _, err := ToValue(&pb.Value{Data: []byte("x")}); return err },
		"format 6":            func() error { _, err := ToValue(&pb.Value{Format: 6}); return err },
		"format 257":          func() error { _, err := ToValue(&pb.Value{Format: 257}); return err },
		"no function":         func() error { _, err := ToFuncRef(nil); return err },
		"a slash in the name": func() error { _, err := ToFuncRef(&pb.FuncRef{Namespace: "default", Name: "a/b"}); return err },
		"no info":             func() error { _, err := ToFuncInfo(&pb.FuncInfo{}); return err },
		"no DAG":              func() error { _, err := ToDAG(nil); return err },
		"a cycle": func() error {
			_, err := ToDAG(dagOf(&pb.Edge{From: "a", To: "b"}, &pb.Edge{From: "b", To: "a"}))
			return err
		},
		"an edge to nowhere": func() error { _, err := ToDAG(dagOf(&pb.Edge{From: "a", To: "c"})); return err },
		"a short run id":     func() error { _, err := ToRunID(make([]byte, 15)); return err },
		"a long run id":      func() error { _, err := ToRunID(make([]byte, 17)); return err },
	} {
		if err := convert(); mesh.KindOf(err) != mesh.Invalid || err == nil {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

func TestLimitsAreBounded(t *testing.T) {
	if got := ToLimits(&pb.Limits{TimeUs: 1 << 63}); got.Time != mesh.MaxFuncTime {
		t.Errorf("time limit %v: expected at most %v", got.Time, mesh.MaxFuncTime)
	}
	if got := ToLimits(nil); got != (mesh.Limits{}) {
		t.Errorf("no limits became %+v", got)
	}
}
