package mesh

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestStageOptionsThatCannotBe(t *testing.T) {
	many := make(map[string]string)
	for i := range MaxLabels + 1 {
		many["l"+strings.Repeat("x", i)] = ""
	}
	for _, c := range []struct {
		options StageOptions
		want    string
	}{
		{StageOptions{Any: &AnyOf{Invalid: make([]Value, MaxInvalid+1)}}, "17 invalid results"},
		{StageOptions{Batch: Batch{Size: 1}}, "batches of 1"},
		{StageOptions{Batch: Batch{Within: time.Second}}, "batches of 0"},
		{StageOptions{Batch: Batch{Size: 2, Within: time.Minute}}, "gathered for 1m0s"},
		{StageOptions{Batch: Batch{Size: 2}, Map: Map{Parallel: 1}}, "batch with map or hedge"},
		{StageOptions{Map: Map{Parallel: -1}}, "map of -1 elements"},
		{StageOptions{Retry: Retry{Attempts: MaxRetries + 1}}, "101 attempts"},
		{StageOptions{Retry: Retry{Backoff: time.Second}}, "a retry of 0 attempts"},
		{StageOptions{Retry: Retry{Attempts: 2, Backoff: time.Hour}}, "a backoff of 1h0m0s"},
		{StageOptions{Hedge: Hedge{After: time.Second}}, "a hedge after 1s"},
		{StageOptions{Timeout: -1}, "a timeout of -1ns"},
		{StageOptions{Colocate: "a b"}, "colocation group name"},
		{StageOptions{Labels: many}, "17 labels"},
		{StageOptions{Labels: map[string]string{"gpu": "a b"}}, `label gpu="a b"`},
	} {
		d := dag("p s p:s")
		d.Stages[1].StageOptions = c.options
		err := d.Validate()
		if !errors.Is(err, Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want Invalid with %q", c.options, err, c.want)
		}
	}
}

func TestAnyOfNeedsParents(t *testing.T) {
	d := dag("p s p:s")
	d.Stages[1].Any = &AnyOf{}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	d.Edges = nil
	if err := d.Validate(); !errors.Is(err, Invalid) || !strings.Contains(err.Error(), `stage "s"`) {
		t.Errorf("without parents: %v, want Invalid that names the stage", err)
	}
}

func TestAnEdgesConditionIsChecked(t *testing.T) {
	d := dag("p s p:s")
	d.Edges[0].When = Condition{Path: ".", Op: "~"}
	if err := d.Validate(); !errors.Is(err, Invalid) || !strings.Contains(err.Error(), `operator "~"`) {
		t.Errorf("Validate = %v, want Invalid that names the operator", err)
	}
}
