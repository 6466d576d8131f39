package run

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestRecordSurvivesTheWire(t *testing.T) {
	plan := []PlannedStage{
		{Name: "a", Func: mesh.FuncRef{Namespace: "default", Name: "f", Version: "v1"}, Placement: Placement{"n1", "why"}, HasArgs: true},
		{Name: "b", Func: fnRef("g"), Placement: Placement{"n2", "because"}, Parents: []int{0}},
	}
	for _, want := range []Record{
		{State: mesh.Running, Coordinator: "n1", Attempt: 1, Plan: []PlannedStage{}},
		{State: mesh.Failed, Coordinator: "n1", Attempt: 3, Plan: plan, Err: &mesh.Error{Kind: mesh.UserError, Stage: "b", Node: "n2", Msg: "boom"}},
		{
			State: mesh.Succeeded, Coordinator: "n1", Attempt: 2, Plan: plan,
			Results: []StageResult{{"b", text("x")}, {"c", mesh.Value{}}},
			Reports: []StageReport{{Stage: 1, Node: "n2", Started: time.UnixMicro(1e15), Took: 5 * time.Microsecond, Bytes: 7, Executions: 3}},
			Began:   time.UnixMicro(2e15), Next: mesh.RunID{7}, Undelivered: &mesh.Error{Kind: mesh.Unavailable, Msg: "no owner"},
		},
	} {
		raw, err := proto.Marshal(want.Message())
		if err != nil {
			t.Fatal(err)
		}
		var m pb.AwaitRunReply
		if err := proto.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if got, err := ParseRecord(&m); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\ncame back as %+v, %v", want, got, err)
		}
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	for _, m := range []*pb.AwaitRunReply{
		{},
		{State: 9},
		{State: uint32(mesh.Failed)},
		{State: uint32(mesh.Succeeded), Results: []*pb.StageResult{{Value: &pb.Value{Format: 77}}}},
		{State: uint32(mesh.Running), Plan: &pb.Plan{Stages: []*pb.PlannedStage{{}}}},
	} {
		if _, err := ParseRecord(m); !errors.Is(err, mesh.Invalid) {
			t.Errorf("ParseRecord(%v) = %v, want Invalid", m, err)
		}
	}
}

func TestParseCalls(t *testing.T) {
	id := mesh.NewRunID()
	options := &pb.CallOptions{Future: true, Policy: "random", Place: map[string][]byte{"a": []byte("n1")}, RunId: id[:], TimeoutUs: 1e6}
	ref := &pb.Arg{Arg: &pb.Arg_Ref{Ref: &pb.Key{Namespace: "default", Name: "k"}}}
	value := &pb.Arg{Arg: &pb.Arg_Value{Value: wire.FromValue(text("v"))}}
	key, run := mesh.Key{Namespace: "default", Name: "k"}, mesh.NewRunID()
	future := &pb.Arg{Arg: &pb.Arg_Future{Future: run[:]}, Raw: true}
	list := mesh.Value{Format: mesh.CBOR, Data: []byte{0x82, 0xf6, 0xf6}} // [null, null]
	holed := &pb.Arg{Arg: &pb.Arg_Value{Value: wire.FromValue(list)}, Holes: []*pb.Hole{
		{Offset: 1, Path: "[0]", Reference: &pb.Hole_Ref{Ref: wire.FromKey(key)}, Raw: true},
		{Offset: 2, Path: "[1]", Reference: &pb.Hole_Future{Future: run[:]}},
	}}
	args := []Arg{
		{Ref: mesh.Reference{Key: key}}, {Value: text("v")}, {}, {Ref: mesh.Reference{Run: run, Raw: true}},
		{Value: list, Holes: []mesh.Hole{
			{Offset: 1, Path: "[0]", Reference: mesh.Reference{Key: key, Raw: true}},
			{Offset: 2, Path: "[1]", Reference: mesh.Reference{Run: run}},
		}},
	}
	messages := []*pb.Arg{ref, value, {}, future, holed}
	want := Options{Future: true, Policy: "random", Place: map[string]mesh.NodeID{"a": "n1"}, ID: id, Timeout: time.Second}

	q, err := ParseCall(&pb.Call{Ref: wire.FromFuncRef(fnRef("f")), Args: messages, Options: options})
	if err != nil || !reflect.DeepEqual(q, Request{Func: fnRef("f"), Args: args, Options: want}) {
		t.Errorf("ParseCall = %+v, %v", q, err)
	}
	q, err = ParseCallDAG(&pb.CallDAG{Namespace: "default", Name: "d", Args: map[string]*pb.StageArgs{"a": {Args: messages}}, Options: options})
	if err != nil || !reflect.DeepEqual(q, Request{Namespace: "default", DAG: "d", StageArgs: map[string][]Arg{"a": args}, Options: want}) {
		t.Errorf("ParseCallDAG = %+v, %v", q, err)
	}
	if back, err := parseArgs(argMessages(args)); err != nil || !reflect.DeepEqual(back, args) {
		t.Errorf("arguments came back as %+v, %v", back, err)
	}
}

func TestParseCallsRefuses(t *testing.T) {
	call := func(change func(*pb.Call)) error {
		m := &pb.Call{Ref: wire.FromFuncRef(fnRef("f"))}
		change(m)
		_, err := ParseCall(m)
		return err
	}
	_, noDAG := ParseCallDAG(&pb.CallDAG{Namespace: "default"})
	_, badArg := ParseCallDAG(&pb.CallDAG{Name: "d", Args: map[string]*pb.StageArgs{"a": {Args: []*pb.Arg{{Arg: &pb.Arg_Ref{}}}}}})
	key := &pb.Key{Namespace: "default", Name: "k"}
	hole := &pb.Hole{Offset: 1, Reference: &pb.Hole_Ref{Ref: key}}
	holes := func(format mesh.Format, holes ...*pb.Hole) error {
		value := &pb.Value{Format: uint32(format), Data: []byte{0x82, 0xf6, 0xf6}}
		return call(func(m *pb.Call) { m.Args = []*pb.Arg{{Arg: &pb.Arg_Value{Value: value}, Holes: holes}} })
	}
	many := func(m *pb.Call) {
		for range mesh.MaxReferences + 1 {
			m.Args = append(m.Args, &pb.Arg{Arg: &pb.Arg_Ref{Ref: key}})
		}
	}
	own := func(m *pb.Call) {
		id := mesh.NewRunID()
		m.Options = &pb.CallOptions{RunId: id[:]}
		m.Args = []*pb.Arg{{Arg: &pb.Arg_Future{Future: id[:]}}}
	}
	for name, err := range map[string]error{
		"a hole beyond the value": holes(mesh.CBOR, &pb.Hole{Offset: 3, Reference: &pb.Hole_Ref{Ref: key}}),
		"holes out of order":      holes(mesh.CBOR, hole, hole),
		"a hole in text":          holes(mesh.Text, hole),
		"a hole for nothing":      holes(mesh.CBOR, &pb.Hole{Offset: 1}),
		"a hole with a long path": holes(mesh.CBOR, &pb.Hole{Offset: 1, Path: strings.Repeat("x", 257), Reference: &pb.Hole_Ref{Ref: key}}),
		"too many holes":          holes(mesh.CBOR, slices.Repeat([]*pb.Hole{hole}, mesh.MaxReferences+1)...),
		"too many references":     call(many),
		"its own result":          call(own),
		"a short future":          call(func(m *pb.Call) { m.Args = []*pb.Arg{{Arg: &pb.Arg_Future{Future: []byte("x")}}} }),
		"the future of no run":    call(func(m *pb.Call) { m.Args = []*pb.Arg{{Arg: &pb.Arg_Future{Future: make([]byte, 16)}}} }),

		"function": call(func(m *pb.Call) { m.Ref.Name = "a b" }),
		"run id":   call(func(m *pb.Call) { m.Options = &pb.CallOptions{RunId: []byte("short")} }),
		"value":    call(func(m *pb.Call) { m.Args = []*pb.Arg{{Arg: &pb.Arg_Value{Value: &pb.Value{}}}} }),
		"no dag":   noDAG,
		"key":      badArg,
	} {
		if !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

func TestReplyMessage(t *testing.T) {
	r := Reply{ID: mesh.NewRunID(), Results: []StageResult{{"a", text("x")}}}
	m := r.Message()
	if string(m.RunId) != string(r.ID[:]) || m.Plan != nil || m.Results[0].Stage != "a" || string(m.Results[0].Value.Data) != "x" {
		t.Errorf("Message = %v", m)
	}
	r.Plan = []PlannedStage{{Name: "a", Placement: Placement{"n1", "why"}}}
	if m = r.Message(); !strings.Contains(m.Plan.String(), "why") {
		t.Errorf("Message of a dry run = %v", m)
	}
}
