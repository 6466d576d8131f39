package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/golden"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestCallTakesTheOptionsOfAStage(t *testing.T) {
	for text, want := range map[string]*pb.StageOptions{
		"retry=3 backoff=100ms longest=1s timeout=2s": {RetryAttempts: 3, RetryBackoffUs: 1e5, RetryLongestUs: 1e6, TimeoutUs: 2e6},
		"hedge": {Hedge: true}, " hedge=50ms  label=gpu=a100 label=zone=x ": {Hedge: true, HedgeAfterUs: 5e4, Labels: map[string]string{"gpu": "a100", "zone": "x"}},
		"map=4 colocate=g":   {MapParallel: 4, Colocate: "g"},
		"batch=8 within=5ms": {BatchSize: 8, BatchWithinUs: 5000},
	} {
		call := &pb.Call{Ref: &pb.FuncRef{Namespace: "default", Name: "f"}, Options: &pb.CallOptions{Stage: want}}
		if got := virga(t, expecting(t, call, results(t, "f", 4)), "", "call", "f", "--stage", text); got.stdout != "4\n" {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestBadOptionsOfAStageAreUsageErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "expected OPTION...", "  ": "expected OPTION...", "retries=3": `option "retries=3": expected any, invalid=JSON`, "retry=1": "from 2 on",
		"retry=3 retry=4": "option retry is there twice", "timeout=5": "such as 5s", "timeout": "expected any, invalid=JSON", "hedge hedge=1s": "option hedge is there twice",
		"label=k": "label=KEY=VALUE", "label=k=a label=k=b": "option label=k is there twice", "label=a b=c": "label=KEY=VALUE", "any": "any and invalid choose among results of parents",
		"batch=5000": "expected 2 to 1024", "backoff=1s": "a retry of 0 attempts", "map=4 batch=2": "batch with map or hedge", "label=k=a,b": "expected a value",
	} {
		got := virga(t, unasked(t), "", "call", "f", "--stage", text)
		if got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v, want %q", text, got, want)
		}
	}
	if got := virga(t, unasked(t), "", "dag", "create", "d", "--stage", "a retry=3 retry=4"); got.code != 2 || !strings.Contains(got.stderr, "twice") {
		t.Errorf("of a dag: %+v", got)
	}
}

// What the commands that run functions and DAGs say of themselves.
func TestHelpOfRunningFunctionsAndDAGs(t *testing.T) {
	for _, command := range []string{"call", "dag call", "dag create", "run explain"} {
		t.Run(command, func(t *testing.T) {
			got := virga(t, unasked(t), "", append(strings.Fields(command), "--help")...)
			if got.code != 0 {
				t.Fatalf("got %+v", got)
			}
			golden.Text(t, "help/"+strings.ReplaceAll(command, " ", "-")+".txt", got.stdout)
		})
	}
}
