package main

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

func encoded(t *testing.T, v any) *pb.Value {
	t.Helper()
	value, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return wire.FromValue(value)
}

// results answers calls with results by stage.
func results(t *testing.T, stagesAndValues ...any) *pb.CallReply {
	t.Helper()
	reply := &pb.CallReply{RunId: make([]byte, 16)}
	for i := 0; i < len(stagesAndValues); i += 2 {
		reply.Results = append(reply.Results, &pb.StageResult{
			Stage: stagesAndValues[i].(string), Value: encoded(t, stagesAndValues[i+1]),
		})
	}
	return reply
}

// expecting answers one request, which must be as wanted.
func expecting(t *testing.T, want, reply wire.Message) answer {
	return func(req wire.Message) (wire.Message, error) {
		t.Helper()
		if call, ok := req.(*pb.CallDAG); ok && len(call.GetOptions().GetWork()) == 16 { // drawn
			req = proto.Clone(req)
			req.(*pb.CallDAG).Options.Work = nil
		}
		if !proto.Equal(req, want) {
			t.Errorf("the mesh was asked\n%v, expected\n%v", req, want)
		}
		return reply, nil
	}
}

func arg(v *pb.Value) *pb.Arg { return &pb.Arg{Arg: &pb.Arg_Value{Value: v}} }

func TestCallPrintsTheResult(t *testing.T) {
	for _, c := range []struct {
		name       string
		result     any
		text, json string
	}{
		{"number", 4, "4\n", "{\n  \"result\": 4\n}\n"},
		{"text", "hello", "hello\n", "{\n  \"result\": \"hello\"\n}\n"},
		{"bytes", []byte("raw"), "raw\n", "{\n  \"result\": \"cmF3\"\n}\n"},
		{"list", []int{1, 2}, "[1,2]\n", "{\n  \"result\": [\n    1,\n    2\n  ]\n}\n"},
		{"nothing", mesh.Value{}, "\n", "{\n  \"result\": null\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ask := expecting(t, &pb.Call{
				Ref:  &pb.FuncRef{Namespace: "team", Name: "f", Version: "v1"},
				Args: []*pb.Arg{arg(encoded(t, 1)), arg(encoded(t, []string{"x"}))}, Options: &pb.CallOptions{Policy: "random"},
			}, results(t, "f", c.result))
			args := []string{"call", "f@v1", "1", `["x"]`, "--namespace", "team", "--policy", "random"}
			if got := virga(t, ask, "", args...); got.stdout != c.text || got.code != 0 {
				t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, c.text)
			}
			if got := virga(t, ask, "", append(args, "-o", "json")...); got.stdout != c.json {
				t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, c.json)
			}
		})
	}
}

func TestDAGCallPrintsBySinks(t *testing.T) {
	ask := expecting(t, &pb.CallDAG{
		Namespace: "default", Name: "d",
		Args:    map[string]*pb.StageArgs{"a": {Args: []*pb.Arg{arg(encoded(t, 1)), arg(encoded(t, 2))}}},
		Options: &pb.CallOptions{},
	}, results(t, "b", 4, "c", "x"))
	if got := virga(t, ask, "", "dag", "call", "d", "a=1", "a=2"); got.stdout != `{"b":4,"c":"x"}`+"\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	one := answer(func(wire.Message) (wire.Message, error) { return results(t, "b", 4), nil })
	if got := virga(t, one, "", "dag", "call", "d", "a=1"); got.stdout != "4\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}

func TestFutureAndPlan(t *testing.T) {
	id := mesh.NewRunID()
	future := expecting(t,
		&pb.Call{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Options: &pb.CallOptions{Future: true, RunId: id[:], TimeoutUs: 2_000_000}},
		&pb.CallReply{RunId: id[:]})
	if got := virga(t, future, "", "call", "f", "--future", "--run-id", id.String(), "--run-timeout", "2s"); got.stdout != id.String()+"\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	node := mesh.NodeID("a node's id")
	plan := expecting(t,
		&pb.Call{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Options: &pb.CallOptions{DryRun: true, Place: map[string][]byte{"f": []byte(node)}}},
		&pb.CallReply{Plan: &pb.Plan{Stages: []*pb.PlannedStage{{Name: "f", Func: &pb.FuncRef{Name: "f", Version: "0123456789abcdef"}, Node: []byte(node), Why: "asked for"}}}})
	got := virga(t, plan, "", "call", "f", "--dry-run", "--node", node.String())
	want := "STAGE  FUNCTION        NODE      WHY\nf      f@0123456789ab  " + node.Short() + "  asked for\n"
	if got.stdout != want {
		t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, want)
	}
}

func TestDAGCreateNamesStagesAfterFunctions(t *testing.T) {
	stage := func(name, function string) *pb.Stage {
		return &pb.Stage{Name: name, Func: &pb.FuncRef{Namespace: "default", Name: function}}
	}
	ask := expecting(t, &pb.CreateDAG{Dag: &pb.DAG{
		Namespace: "default", Name: "d",
		Stages: []*pb.Stage{stage("first", "incr"), stage("square", "square"), stage("last", "last")},
		Edges:  []*pb.Edge{{From: "first", To: "square"}, {From: "square", To: "last"}},
	}}, &pb.Done{})
	got := virga(t, ask, "", "dag", "create", "d", "--stage", "first=incr", "--edge", "first:square", "--edge", "square:last")
	if got.code != 0 {
		t.Errorf("got %+v", got)
	}
	dry := virga(t, unasked(t), "", "dag", "create", "d", "--edge", "a:b", "--dry-run")
	if want := "dag d\n  stage a runs a\n  stage b runs b\n  edge a -> b\n"; dry.stdout != want {
		t.Errorf("printed %q, want %q", dry.stdout, want)
	}
}

func TestRunCommands(t *testing.T) {
	id := mesh.NewRunID()
	reply := &pb.AwaitRunReply{
		State: uint32(mesh.Failed), Attempt: 3*mesh.GenerationAttempts + 2, Coordinator: []byte("c"),
		Error: &pb.Error{Kind: uint32(mesh.UserError), Stage: "b", Message: "no luck"},
		Plan: &pb.Plan{Stages: []*pb.PlannedStage{
			{Name: "b", Func: &pb.FuncRef{Name: "g"}, Node: []byte("n"), Why: "warm there", Attempt: 3*mesh.GenerationAttempts + 2},
			{Name: "c", Func: &pb.FuncRef{Name: "g"}, Node: []byte("n"), Why: "beside b", Attempt: 3*mesh.GenerationAttempts + 1},
		}},
		Reports: []*pb.StageReport{{
			Stage: 0, StartedUs: 1, QueuedUs: 31, TookUs: 250, ResultBytes: 9, MovedBytes: 4711, CacheHits: 2, CacheMisses: 1, Executions: 3,
		}, {Stage: 7}, {Stage: 1, StartedUs: 1, Skipped: true}},
	}
	now := expecting(t, &pb.AwaitRun{RunId: id[:], NoWait: true}, reply)
	if got := virga(t, now, "", "run", "status", id.String()); got.stdout != "failed\nUserError: no luck\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	explained := virga(t, now, "", "run", "explain", id.String())
	for _, part := range []string{"attempt 2, begun anew 3 times", "warm there", "250µs", "31µs", "4711", "2 of 3", "skipped"} {
		if !contains(explained.stdout, part) {
			t.Errorf("%q does not say %q", explained.stdout, part)
		}
	}
	wait := expecting(t, &pb.AwaitRun{RunId: id[:]}, reply)
	if got := virga(t, wait, "", "run", "wait", id.String()); got.code != 10 || !contains(got.stderr, "stage b") {
		t.Errorf("got %+v", got)
	}
	for kind, want := range map[mesh.ErrorKind]string{mesh.Cancelled: "cancelled run " + id.String(), mesh.UserError: "run " + id.String() + " had failed already"} {
		stands := &pb.AwaitRunReply{State: uint32(mesh.Failed), Error: wire.FromError(mesh.Errorf(kind, "", "it was"), "")}
		cancel := func(req wire.Message) (wire.Message, error) {
			if _, asks := req.(*pb.AwaitRun); asks {
				return stands, nil
			}
			return expecting(t, &pb.CancelRun{RunId: id[:]}, nil)(req)
		}
		if got := virga(t, cancel, "", "run", "cancel", id.String()); got.code != 0 || got.stdout != want+"\n" {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}

func TestCallStoresTheResultAndTellsWhatContinues(t *testing.T) {
	next := mesh.RunID{1}.Next()
	options := &pb.CallOptions{
		Output: &pb.Key{Namespace: "default", Name: "k"}, Then: &pb.FuncRef{Namespace: "default", Name: "g"},
	}
	reply := results(t, "f", 4)
	reply.Next = next[:]
	ask := expecting(t, &pb.Call{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Options: options}, reply)
	flags := []string{"--output-key", "k", "--then", "g"}
	if got := virga(t, ask, "", append([]string{"call", "f"}, flags...)...); got.stdout != "4\ncontinued by run "+next.String()+"\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	if got := virga(t, ask, "", append([]string{"call", "f", "-o", "json"}, flags...)...); got.stdout != "{\n  \"result\": 4,\n  \"next\": \""+next.String()+"\"\n}\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	reply = results(t, "a", 1, "b", 2)
	reply.Next = next[:]
	ask = expecting(t, &pb.CallDAG{Namespace: "default", Name: "d", Options: options}, reply)
	if got := virga(t, ask, "", append([]string{"dag", "call", "d"}, flags...)...); got.stdout != "{\"a\":1,\"b\":2}\ncontinued by run "+next.String()+"\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	if got := virga(t, ask, "", "call", "f", "--then", "no name"); got.code == 0 {
		t.Errorf("a bad name printed %q", got.stdout)
	}
}
