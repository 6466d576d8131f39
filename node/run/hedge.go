package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// hedged runs an attempt on a node and, if that takes long, a second copy on
// another. The first good result counts, and ends the other copy; without
// one, the error of the first copy.
func (r *Runs) hedged(ctx context.Context, node mesh.NodeID, t *piece, args []mesh.Value) (mesh.Value, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	copies := make(chan copied, 2)
	if !r.copy(ctx, copies, node, *t, args) {
		return mesh.Value{}, errClosed()
	}
	var due <-chan time.Time
	if after, ok := r.paces.begin(t.fn.Ref, t.options.Hedge); ok {
		timer := time.NewTimer(after)
		defer timer.Stop()
		due = timer.C
	}
	var failed error // of the first copy that ended, or that came first
	for running := 1; running > 0; {
		select {
		case c := <-copies:
			running--
			if c.err == nil {
				r.paces.end(t.fn.Ref, time.Since(began))
				if c.second {
					r.counts.hedgesWon.Add(1)
				}
				return c.value, nil
			}
			if failed == nil || !c.second {
				failed = c.err
			}
			due = nil // what fails is for the retries
		case <-due:
			due = nil
			if r.hedge(ctx, copies, node, t, args, began) {
				running++
			}
		case <-ctx.Done():
			return mesh.Value{}, mesh.AsError("", ctx.Err())
		}
	}
	return mesh.Value{}, failed
}

// copied is how one of the copies ended.
type copied struct {
	value  mesh.Value
	err    error
	second bool
}

// hedge starts the second copy, if another node is able to run it and not too
// many were hedged lately.
func (r *Runs) hedge(ctx context.Context, copies chan<- copied, first mesh.NodeID, t *piece, args []mesh.Value, began time.Time) bool {
	without := []mesh.NodeID{first}
	node, ok := r.another(t, "round-robin", without)
	if !ok && first != r.cfg.Self {
		node, ok = r.cfg.Self, true
	}
	if !ok || !r.paces.spend(t.fn.Ref) {
		return false
	}
	second := *t
	second.id.Attempt |= hedgeStep
	second.work = second.work.Again(began)
	r.counts.hedges.Add(1)
	return r.copy(ctx, copies, node, second, args)
}

// copy runs a copy in a goroutine that Close waits for: one that is held up
// may outlast the attempt.
func (r *Runs) copy(ctx context.Context, copies chan<- copied, node mesh.NodeID, t piece, args []mesh.Value) bool {
	return r.spawn(func() {
		v, err := r.executeAt(ctx, node, &t, args)
		copies <- copied{v, err, t.id.Attempt&hedgeStep != 0}
	})
}
