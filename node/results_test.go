package node

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/catalog"
	"github.com/virga-mesh/virga/node/run"
)

// unreachable is a state whose first deletes get no answer.
type unreachable struct {
	catalog.State
	deletes, fails int
}

func (*unreachable) Put(context.Context, mesh.Key, lattice.Kind, lattice.Op) error { return nil }

func (u *unreachable) Delete(ctx context.Context, _ mesh.Key) error {
	if u.deletes++; u.deletes <= u.fails {
		<-ctx.Done()
		return mesh.AsError("delete", ctx.Err())
	}
	return nil
}

func TestARecordThatCouldNotBeRemovedIsRemovedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &unreachable{fails: 2}
		r := newResults(state, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		if err := r.Save(ctx, mesh.NewRunID(), run.Record{State: mesh.Running}, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if state.deletes != 3 || len(r.expiring) != 0 || len(r.latest) != 0 {
			t.Errorf("%d attempts, and %d records are still to be removed; want 3 and none", state.deletes, len(r.expiring))
		}
		stop()
		running.Wait()
	})
}
