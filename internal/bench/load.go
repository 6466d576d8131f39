// Package bench measures: it drives a load of concurrent callers against an
// operation, records each latency in an HDR histogram, measures the floors
// that the transport sets, and reports figures as ratios to the floor of the
// same run. It holds no knowledge of what the operation does.
package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Load says how hard and how long to drive an operation.
type Load struct {
	Callers int           // goroutines that call one after another; at least 1
	Warmup  time.Duration // driven, but not recorded
	Measure time.Duration // recorded
	// Batch is how many operations of a caller are timed together, where one
	// alone takes about as long as reading the clock; their latency is the mean. 0: 1.
	Batch int
}

// Operation is called again and again by each caller; caller counts from 0.
type Operation func(ctx context.Context, caller int) error

// latencies are recorded from 1 ns to a minute, to one percent: finer
// histograms of many callers would not stay in the processor's cache.
const (
	lowestLatency  = 1
	highestLatency = int64(time.Minute)
	digits         = 2
)

// Run drives op. The first error of any caller ends the run and is returned.
func (l Load) Run(ctx context.Context, op Operation) (Sample, error) {
	if err := l.drive(ctx, l.Warmup, op, nil); err != nil {
		return Sample{}, err
	}
	recorders := make([]*hdrhistogram.Histogram, l.Callers)
	for i := range recorders {
		recorders[i] = newLatencies()
	}
	started := time.Now()
	if err := l.drive(ctx, l.Measure, op, recorders); err != nil {
		return Sample{}, err
	}
	sample := Sample{Callers: l.Callers, Elapsed: time.Since(started), latencies: recorders[0]}
	for _, r := range recorders[1:] {
		sample.latencies.Merge(r)
	}
	return sample, nil
}

func (l Load) drive(ctx context.Context, span time.Duration, op Operation, recorders []*hdrhistogram.Histogram) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := time.Now().Add(span)
	var callers sync.WaitGroup
	for caller := range l.Callers {
		callers.Go(func() {
			if err := l.repeat(ctx, end, caller, op, recorders); err != nil {
				cancel(err)
			}
		})
	}
	callers.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

func (l Load) repeat(ctx context.Context, end time.Time, caller int, op Operation, recorders []*hdrhistogram.Histogram) error {
	batch := max(l.Batch, 1)
	at := time.Now()
	for at.Before(end) && ctx.Err() == nil {
		for range batch {
			if err := op(ctx, caller); err != nil {
				return err
			}
		}
		now := time.Now()
		if recorders != nil {
			if err := recorders[caller].RecordValues(inBounds(now.Sub(at)/time.Duration(batch)), int64(batch)); err != nil {
				return err
			}
		}
		at = now
	}
	return nil
}
