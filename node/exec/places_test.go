package exec_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// waitingModules is a source whose modules come when it is told.
type waitingModules chan struct{}

func (w waitingModules) Module(ctx context.Context, _ string) ([]byte, error) {
	select {
	case <-w:
	case <-ctx.Done():
	}
	return nil, mesh.Errorf(mesh.NotFound, "", "there is none")
}

func TestPlacesTellWhoRunsAndWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		modules := make(waitingModules)
		b := start(t, exec.Options{Concurrency: 2, Modules: modules})
		end := make(chan struct{})
		wait := native(t, b, "wait", mesh.Limits{}, func(_ context.Context, _ fn.None) (int, error) {
			<-end
			return 1, nil
		})
		places := func(what string, wantTaken, wantWaiting int) {
			t.Helper()
			synctest.Wait()
			if taken, waiting, limit := b.Places(); taken != wantTaken || waiting != wantWaiting || limit != 2 {
				t.Errorf("%s: %d of %d places are taken, and %d wait: expected %d and %d", what, taken, limit, waiting, wantTaken, wantWaiting)
			}
		}
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() {
				if got, err := call[int](t.Context(), b, wait, nil); err != nil || got != 1 {
					t.Errorf("a call gave %d, %v", got, err)
				}
			})
		}
		places("three calls", 2, 1)
		calls.Go(func() {
			guest := mesh.FuncInfo{Ref: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: "guest", Version: "v"}, Kind: mesh.Wasm}
			if _, err := call[int](t.Context(), b, guest, nil); err == nil {
				t.Error("a function without a module ran")
			}
		})
		places("and one that waits for its module", 2, 2)
		close(modules)
		close(end)
		calls.Wait()
		places("in the end", 0, 0)
	})
}
