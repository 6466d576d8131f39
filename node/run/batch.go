package run

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/sdk/codec"
)

// batches gathers invocations of a function, of whatever runs, for one. It
// holds what waits for others, no longer than a batch is gathered.
type batches struct {
	mu   sync.Mutex
	open map[batchKind]*batch
}

// batchKind says which invocations may share a batch.
type batchKind struct {
	ref     mesh.FuncRef // with the version
	batch   mesh.Batch
	timeout time.Duration
	in      mesh.Session // each has its own: what several see is not repeatable
	labels  string       // and which nodes may run it
	bound   bool
}

// batch is one of them, while it is gathered and while it runs.
type batch struct {
	kind  batchKind
	piece piece // of the first caller
	timer *time.Timer
	calls []*batchCall // guarded by batches.mu until it runs
}

// batchCall is an invocation in a batch.
type batchCall struct {
	ctx    context.Context
	args   mesh.Value // the list of them
	work   effects.Work
	result chan batchResult // of capacity 1
}

type batchResult struct {
	value mesh.Value
	err   error
	meter *Meter // of the batch; nil where it failed
}

// batchCallOverhead is what a waiting invocation counts beside its arguments, in bytes.
const batchCallOverhead = 256

// batched runs a piece together with others, and gives its own result.
func (r *Runs) batched(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	list, err := codec.Array(args)
	if err != nil {
		return mesh.Value{}, err
	}
	size := int64(len(list.Data)) + batchCallOverhead
	if err := r.charge(size); err != nil {
		return mesh.Value{}, err
	}
	defer r.charge(-size)
	t.executed.Add(1)
	call := &batchCall{ctx: ctx, args: list, work: t.work, result: make(chan batchResult, 1)}
	b := r.joinBatch(t, call)
	select {
	case result := <-call.result:
		if t.meter != nil && result.meter != nil {
			t.meter.add(result.meter)
		}
		return result.value, result.err
	case <-ctx.Done():
		r.batches.leave(b, call)
		return mesh.Value{}, mesh.AsError("", ctx.Err())
	}
}

// joinBatch adds an invocation to the batch of its kind that is open, or opens one.
func (r *Runs) joinBatch(t *piece, call *batchCall) *batch {
	kind := batchKind{t.fn.Ref, t.options.Batch, t.options.Timeout, t.in, fmt.Sprint(t.labels), t.bound}
	r.batches.mu.Lock()
	defer r.batches.mu.Unlock()
	b := r.batches.open[kind]
	if b == nil {
		b = &batch{kind: kind, piece: *t}
		r.batches.open[kind] = b
		b.timer = time.AfterFunc(kind.batch.Within, func() {
			r.batches.mu.Lock()
			defer r.batches.mu.Unlock()
			r.closeBatch(b)
		})
	}
	b.calls = append(b.calls, call)
	if len(b.calls) >= kind.batch.Size {
		r.closeBatch(b)
	}
	return b
}

// closeBatch runs a batch, unless it runs already. With the lock of batches held.
func (r *Runs) closeBatch(b *batch) {
	if r.batches.open[b.kind] != b {
		return
	}
	b.timer.Stop()
	delete(r.batches.open, b.kind)
	calls := b.calls
	if !r.spawn(func() { r.runBatch(b, calls) }) {
		answerAll(calls, errClosed())
	}
}

// leave takes out an invocation that is given up, if its batch is still
// gathered. A batch that nobody is left in is none.
func (s *batches) leave(b *batch, call *batchCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[b.kind] != b {
		return
	}
	b.calls = slices.DeleteFunc(b.calls, func(other *batchCall) bool { return other == call })
	if len(b.calls) == 0 {
		b.timer.Stop()
		delete(s.open, b.kind)
	}
}

// runBatch runs the function once, until all callers have given up, and hands
// each its own result.
func (r *Runs) runBatch(b *batch, calls []*batchCall) {
	calls = slices.DeleteFunc(calls, func(c *batchCall) bool { return c.ctx.Err() != nil })
	if len(calls) == 0 {
		return
	}
	r.counts.batches.Add(1)
	r.counts.batched.Add(uint64(len(calls)))
	ctx, release := whileAnyLasts(r.ctx, calls)
	defer release()
	meter := &Meter{}
	results, err := r.executeBatch(ctx, b, calls, meter)
	if err != nil {
		answerAll(calls, err)
		return
	}
	for i, call := range calls {
		call.result <- batchResult{value: results[i], meter: meter}
	}
}

func (r *Runs) executeBatch(ctx context.Context, b *batch, calls []*batchCall, meter *Meter) ([]mesh.Value, error) {
	lists := make([]mesh.Value, len(calls))
	works := make([]effects.Work, len(calls))
	for i, call := range calls {
		lists[i], works[i] = call.args, call.work
	}
	arg, err := codec.Array(lists)
	if err != nil {
		return nil, err
	}
	t := b.piece
	t.executed, t.meter = nil, meter // each caller counts its own executions
	t.id.Run, t.id.Attempt = mesh.NewRunID(), 1
	t.work = effects.Together(works)
	attempt, cancel := ctx, context.CancelFunc(func() {})
	if b.kind.timeout > 0 {
		attempt, cancel = context.WithTimeout(ctx, b.kind.timeout)
	}
	defer cancel()
	result, err := r.executeWhereRoom(attempt, &t, []mesh.Value{arg})
	if err = t.blame(ctx, attempt, err); err != nil {
		return nil, err
	}
	return resultsOf(result, len(calls))
}

// resultsOf takes the result of a batch apart.
func resultsOf(result mesh.Value, calls int) ([]mesh.Value, error) {
	results, err := codec.Elements(result)
	if err != nil {
		return nil, mesh.Errorf(mesh.UserError, "", "the result of a batch of %d: %s", calls, mesh.AsError("", err).Text())
	}
	if len(results) != calls {
		return nil, mesh.Errorf(mesh.UserError, "", "the result of a batch has %d elements: expected %d, one for each call", len(results), calls)
	}
	return results, nil
}

func answerAll(calls []*batchCall, err error) {
	for _, call := range calls {
		call.result <- batchResult{err: err}
	}
}

// whileAnyLasts gives a context that ends when all callers have given up.
func whileAnyLasts(ctx context.Context, calls []*batchCall) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	left := len(calls)
	stops := make([]func() bool, len(calls))
	for i, call := range calls {
		stops[i] = context.AfterFunc(call.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// newBatches begins with none.
func newBatches() batches { return batches{open: map[batchKind]*batch{}} }
