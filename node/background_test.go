package node

import (
	"context"
	"testing"
)

func TestNothingStartsInTheBackgroundOnceTheNodeCloses(t *testing.T) {
	r := &rooms{}
	r.ctx, r.stop = context.WithCancel(context.Background())
	ended := false
	if !r.background(func(ctx context.Context) { <-ctx.Done(); ended = true }) {
		t.Fatal("nothing starts while the node runs")
	}
	r.endTasks()
	if !ended {
		t.Error("endTasks did not wait")
	}
	if r.background(func(context.Context) { t.Error("it runs") }) {
		t.Error("background says that it started something")
	}
}
