package run

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// retried attempts a piece until it has a result, or as often as its options
// say. A backoff ends with the run.
func (r *Runs) retried(ctx context.Context, t piece, args []mesh.Value) (mesh.Value, error) {
	first := time.Now()
	for n := 1; ; n++ {
		v, err := r.timed(ctx, &t, args)
		switch {
		case err == nil:
			return v, nil
		case n >= t.options.Retry.Attempts || !mayHelp(err) || ctx.Err() != nil:
			return mesh.Value{}, afterAttempts(n, err)
		}
		if !pause(ctx, backoff(t.options.Retry, n)) {
			return mesh.Value{}, afterAttempts(n, err)
		}
		r.counts.retries.Add(1)
		t = t.again(first)
	}
}

// mayHelp reports whether a function may succeed when it is executed again.
func mayHelp(err error) bool {
	switch mesh.KindOf(err) {
	case mesh.UserError, mesh.DeadlineExceeded, mesh.Unavailable, mesh.Overloaded, mesh.Conflict:
		return true
	}
	return false
}

// afterAttempts says of an error that it is the last of several.
func afterAttempts(n int, err error) error {
	if n == 1 {
		return err
	}
	return within(err, "the last of %d attempts failed", n)
}

// within is an error of the same kind that says more.
func within(err error, format string, args ...any) error {
	e := mesh.AsError("", err)
	outer := mesh.Errorf(e.Kind, "", format, args...)
	outer.Node, outer.Err = e.Node, err
	return outer
}

// backoff is how long to wait before the attempt after the nth: a random
// part of it, from one half on, so that what failed together is not attempted together.
func backoff(o mesh.Retry, n int) time.Duration {
	longest := cmp.Or(o.Longest, mesh.MaxBackoff)
	wait := min(o.Backoff, longest)
	for ; n > 1 && wait < longest; n-- {
		wait = min(2*wait, longest)
		if wait == 0 {
			return 0
		}
	}
	if wait < 2 {
		return wait
	}
	return wait/2 + rand.N(wait/2+1)
}

// pause waits. It reports false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// timed is one attempt within the timeout of attempts. That of a batch
// counts from when the function runs, and not while others are waited for.
func (r *Runs) timed(ctx context.Context, t *piece, args []mesh.Value) (mesh.Value, error) {
	if t.options.Timeout == 0 || t.options.Batch.Size > 0 {
		return r.once(ctx, t, args)
	}
	attempt, cancel := context.WithTimeout(ctx, t.options.Timeout)
	defer cancel()
	v, err := r.once(attempt, t, args)
	return v, t.blame(ctx, attempt, err)
}

// blame says so when an attempt failed by its timeout, and not by the run's end.
func (t *piece) blame(ctx, attempt context.Context, err error) error {
	if err == nil || ctx.Err() != nil || attempt.Err() == nil {
		return err
	}
	return mesh.Errorf(mesh.DeadlineExceeded, "", "an attempt of stage %s took longer than its timeout of %v", t.id.Stage, t.options.Timeout)
}
