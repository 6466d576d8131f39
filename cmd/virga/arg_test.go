package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestArgumentsReferToKeysAndRuns(t *testing.T) {
	id := mesh.NewRunID()
	key := func(ns, name string) *pb.Key { return &pb.Key{Namespace: ns, Name: name} }
	template := &pb.Value{Format: uint32(mesh.CBOR), Data: []byte("\x83\x01\xf6\xa1\x61a\xf6")} // [1, null, {"a": null}]
	for _, c := range []struct {
		arg  string
		want *pb.Arg
	}{
		{"@user/1", &pb.Arg{Arg: &pb.Arg_Ref{Ref: key("team", "user/1")}}},
		{`{"$ref": "k"}`, &pb.Arg{Arg: &pb.Arg_Ref{Ref: key("team", "k")}}},
		{`{"$ref": "k", "$namespace": "other", "$raw": true}`, &pb.Arg{Arg: &pb.Arg_Ref{Ref: key("other", "k")}, Raw: true}},
		{`{"$future": "` + id.String() + `"}`, &pb.Arg{Arg: &pb.Arg_Future{Future: id[:]}}},
		{`[1, {"$ref": "k"}, {"a": {"$future": "` + id.String() + `", "$raw": true}}]`, &pb.Arg{
			Arg: &pb.Arg_Value{Value: template},
			Holes: []*pb.Hole{
				{Offset: 2, Path: "[1]", Reference: &pb.Hole_Ref{Ref: key("team", "k")}},
				{Offset: 6, Path: "[2].a", Reference: &pb.Hole_Future{Future: id[:]}, Raw: true},
			},
		}},
		{`{"$literal": {"$ref": "k"}}`, arg(encoded(t, map[string]string{"$ref": "k"}))},
		{`{"price": "$5"}`, arg(encoded(t, map[string]string{"price": "$5"}))},
	} {
		ask := expecting(t, &pb.Call{Ref: &pb.FuncRef{Namespace: "team", Name: "f"}, Args: []*pb.Arg{c.want}, Options: &pb.CallOptions{}}, results(t, "f", 1))
		if got := virga(t, ask, "", "call", "f", c.arg, "--namespace", "team"); got.code != 0 {
			t.Errorf("%s: %q", c.arg, got.stderr)
		}
		ask = expecting(t, &pb.CallDAG{
			Namespace: "team", Name: "d", Args: map[string]*pb.StageArgs{"a": {Args: []*pb.Arg{c.want}}}, Options: &pb.CallOptions{},
		}, results(t, "f", 1))
		if got := virga(t, ask, c.arg, "dag", "call", "d", "a=-", "--namespace", "team"); got.code != 0 {
			t.Errorf("%s on stdin: %q", c.arg, got.stderr)
		}
	}
	ask := expecting(t, &pb.Call{
		Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Args: []*pb.Arg{arg(encoded(t, map[string]string{"$ref": "k"}))}, Options: &pb.CallOptions{},
	}, results(t, "f", 1))
	if got := virga(t, ask, "", "call", "f", "--literal", `{"$ref": "k"}`); got.code != 0 {
		t.Errorf("--literal: %q", got.stderr)
	}
}

func TestReferencesThatAreNoneSayWhatWasExpected(t *testing.T) {
	for arg, want := range map[string]string{
		"@":                                "a key's name has 0 bytes",
		`{"$ref": 5}`:                      "$ref with a int64: expected a text",
		`{"$ref": "k", "$rew": true}`:      `member "$rew" beside $ref: expected $namespace, $raw`,
		`{"$ref": "k", "more": 1}`:         `{"$literal": ...}`,
		`{"$ref": "k", "$raw": 1}`:         "expected true or false for $raw",
		`{"$ref": "k", "$namespace": "A"}`: "namespace",
		`{"$future": "x"}`:                 "hexadecimal",
		`{"$literal": 1, "$raw": true}`:    "expected nothing",
	} {
		got := virga(t, unasked(t), "", "call", "f", arg)
		if got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: code %d, %q, want %q", arg, got.code, got.stderr, want)
		}
	}
	got := virga(t, unasked(t), "", "call", "f", "@k", "--literal")
	if got.code != 2 || !strings.Contains(got.stderr, "not JSON") {
		t.Errorf("@k with --literal: %+v", got)
	}
}

func TestFlagsSetTheOptionsOfStages(t *testing.T) {
	ask := expecting(t, &pb.CreateDAG{Dag: &pb.DAG{
		Namespace: "default", Name: "d",
		Stages: []*pb.Stage{
			{Name: "a", Func: &pb.FuncRef{Namespace: "team", Name: "f", Version: "v"}, Options: &pb.StageOptions{
				RetryAttempts: 3, RetryBackoffUs: 1e5, RetryLongestUs: 1e6, TimeoutUs: 2e6, Hedge: true, Colocate: "g", Labels: map[string]string{"k": "v=w"[:1]},
			}},
			{Name: "b", Func: &pb.FuncRef{Namespace: "default", Name: "b"}, Options: &pb.StageOptions{
				Any: &pb.AnyOf{Invalid: []*pb.Value{encoded(t, nil), encoded(t, "no luck"), encoded(t, []int{1, 2})}}, Hedge: true, HedgeAfterUs: 5e4, MapParallel: 4,
			}},
			{Name: "c", Func: &pb.FuncRef{Namespace: "default", Name: "c"}, Options: &pb.StageOptions{BatchSize: 8, BatchWithinUs: 5000}},
		},
		Edges: []*pb.Edge{{From: "a", To: "b", When: `x == "a b"`}, {From: "b", To: "c"}},
	}}, &pb.Done{})
	got := virga(t, ask, "", "dag", "create", "d",
		"--stage", "a=team/f@v retry=3 backoff=100ms  longest=1s timeout=2s hedge colocate=g label=k=v",
		"--stage", `b any invalid=null invalid="no luck" invalid=[1,2] hedge=50ms map=4`, "--stage", "c batch=8 within=5ms",
		"--edge", `a:b when x == "a b"`, "--edge", "b:c")
	for _, line := range []string{
		"stage a runs team/f@v retry=3 backoff=100ms longest=1s hedge timeout=2s colocate=g label=k=v",
		`stage b runs b any invalid=null invalid="no luck" invalid=[1,2] map=4 hedge=50ms`, `edge a -> b when x == "a b"`,
	} {
		if !strings.Contains(got.stdout, line) {
			t.Errorf("printed %q %q, which does not say %q", got.stdout, got.stderr, line)
		}
	}
	for _, c := range []struct{ stage, want string }{
		{"", "expected NAME"}, {"a retry", "expected any, invalid=JSON"}, {"a any=1", "expected any"}, {"a retries=3", `option "retries=3"`},
		{"a retry=1", "from 2 on"}, {"a timeout=5", "such as 5s"}, {"a invalid={", "not JSON"}, {"a label=k", "label=KEY=VALUE"}, {"a batch=5000", "expected 2 to 1024"},
	} {
		got := virga(t, unasked(t), "", "dag", "create", "d", "--stage", c.stage)
		if got.code != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: %+v, want %q", c.stage, got, c.want)
		}
	}
	for _, edge := range []string{"a:b . > 3", "a:b when", "a:b when . >", ":b"} {
		if got := virga(t, unasked(t), "", "dag", "create", "d", "--edge", edge); got.code != 2 || !strings.Contains(got.stderr, "expected") {
			t.Errorf("%q: %+v", edge, got)
		}
	}
}

func TestFnVersionsAliasesAndRollback(t *testing.T) {
	version := func(v string) *pb.FuncVersion {
		return &pb.FuncVersion{Info: wire.FromFuncInfo(mesh.FuncInfo{Ref: mesh.FuncRef{Namespace: "default", Name: "f", Version: v}, Kind: mesh.Wasm}), DeployedUnixMs: 1}
	}
	reply := &pb.GetFuncReply{
		Info: version("v2").Info, Versions: []string{"v1", "v2"}, Current: "v2", Details: []*pb.FuncVersion{version("v1"), version("v2")},
		Aliases: map[string]string{"prod": "v1", "old": "v1"},
	}
	ask := expecting(t, &pb.GetFunc{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}}, reply)
	want := "VERSION  KIND  DEPLOYED              RUNS ON   CURRENT  ALIASES\n" +
		"v1       wasm  1970-01-01T00:00:00Z  any node           old prod\n" +
		"v2       wasm  1970-01-01T00:00:00Z  any node  current\n"
	if got := virga(t, ask, "", "fn", "versions", "f"); got.stdout != want {
		t.Errorf("printed\n%s%s, want\n%s", got.stdout, got.stderr, want)
	}
	if got := virga(t, ask, "", "fn", "alias", "f"); got.stdout != "ALIAS   VERSION\nf@old   v1\nf@prod  v1\n" {
		t.Errorf("printed\n%s%s", got.stdout, got.stderr)
	}
	ask = expecting(t, &pb.SetAlias{Ref: &pb.FuncRef{Namespace: "default", Name: "f", Version: "v1"}, Alias: "prod"}, &pb.Done{})
	if got := virga(t, ask, "", "fn", "alias", "f@prod", "v1"); got.stdout != "f@prod is now version v1\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	ask = expecting(t, &pb.SetAlias{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Alias: "prod"}, &pb.Done{})
	if got := virga(t, ask, "", "fn", "alias", "f@prod", "--delete"); got.stdout != "deleted alias f@prod\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	rollback := func(req wire.Message) (wire.Message, error) {
		if _, asks := req.(*pb.GetFunc); asks {
			return reply, nil
		}
		return expecting(t, &pb.UseVersion{Ref: &pb.FuncRef{Namespace: "default", Name: "f", Version: "v1"}}, &pb.Done{})(req)
	}
	for _, args := range [][]string{{"fn", "rollback", "f"}, {"fn", "rollback", "f", "--to", "v1"}} {
		if got := virga(t, rollback, "", args...); got.stdout != "function f is now version v1\n" {
			t.Errorf("%v printed %q %q", args, got.stdout, got.stderr)
		}
	}
	for _, args := range [][]string{{"f@prod"}, {"f", "v1"}, {"f@", "v1"}, {"f@prod", "v1", "--delete"}, {"f", "--delete"}} {
		if got := virga(t, unasked(t), "", append([]string{"fn", "alias"}, args...)...); got.code != 2 {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := virga(t, unasked(t), "", "call", "f", "-o", "yaml"); got.code != 2 || !strings.Contains(got.stderr, "yaml is for") {
		t.Errorf("yaml: %+v", got)
	}
}

func TestListsEndWhereTheyAreTold(t *testing.T) {
	info := func(name string) *pb.FuncInfo {
		return wire.FromFuncInfo(mesh.FuncInfo{Ref: mesh.FuncRef{Namespace: "default", Name: name, Version: "v"}, Kind: mesh.Wasm})
	}
	ask := func(req wire.Message) (wire.Message, error) {
		if _, usage := req.(*pb.Usage); usage {
			return &pb.UsageReply{}, nil
		}
		return expecting(t, &pb.ListFuncs{Namespace: "default", After: "a"}, &pb.ListFuncsReply{Functions: []*pb.FuncInfo{info("b"), info("c")}})(req)
	}
	got := virga(t, ask, "", "fn", "list", "--limit", "1", "--after", "a")
	if want := "\nthere are more: --after b\n"; !strings.HasSuffix(got.stdout, want) || !strings.Contains(got.stdout, "\nb ") || strings.Contains(got.stdout, "\nc ") {
		t.Errorf("printed %q %q, want b alone, and %q", got.stdout, got.stderr, want)
	}
	if got := virga(t, unasked(t), "", "dag", "list", "--limit", "-1"); got.code != 2 {
		t.Errorf("got %+v", got)
	}
}
