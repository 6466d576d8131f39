package fn_test

import (
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestFutures(t *testing.T) {
	ctx, _ := newContext(t)
	future, err := fn.Start[int](ctx, "add", 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if state, err := future.Status(ctx); err != nil || state != mesh.Succeeded {
		t.Errorf("the run stands at %v, %v", state, err)
	}
	again := fn.FutureOf[int](future.ID)
	if sum, err := again.Get(ctx); err != nil || sum != 5 {
		t.Errorf("the future gave %d, %v", sum, err)
	}
	_, err = fn.FutureOf[string](future.ID).Get(ctx)
	wantError(t, err, mesh.Invalid, "result of run "+future.ID.String())
	_, err = fn.FutureOf[int](mesh.NewRunID()).Get(ctx)
	wantError(t, err, mesh.NotFound, "no run")
	_, err = fn.Start[int](ctx, "nosuch")
	wantError(t, err, mesh.NotFound, "nosuch")
	_, err = fn.Start[int](ctx, "add", make(chan int))
	wantError(t, err, mesh.Invalid, "start add: Invalid: argument 1")
	_, err = future.Status(t.Context())
	wantError(t, err, mesh.Invalid, "not that of a running function")
}
