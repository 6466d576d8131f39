package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// batch is how many operations of a tight loop are timed together: reading
// the clock costs as much as a short operation.
const batch = 128

// RunTight drives an operation that takes about a microsecond or less, by one
// caller in this goroutine, and counts what it allocates. What else the process
// allocates meanwhile is counted too. Latencies are means of 128 operations.
func (l Load) RunTight(ctx context.Context, op func() error) (Sample, error) {
	warm := newLatencies()
	if _, err := tight(ctx, l.Warmup, op, warm); err != nil {
		return Sample{}, err
	}
	var before, after runtime.MemStats
	sample := Sample{Callers: 1, Counted: true, latencies: newLatencies()}
	runtime.ReadMemStats(&before)
	elapsed, err := tight(ctx, l.Measure, op, sample.latencies)
	if err != nil {
		return Sample{}, err
	}
	runtime.ReadMemStats(&after)
	sample.Elapsed = elapsed
	sample.Allocs = Ratio(float64(after.Mallocs-before.Mallocs), float64(sample.N()))
	return sample, nil
}

// tight drives at least one batch.
func tight(ctx context.Context, span time.Duration, op func() error, latencies *hdrhistogram.Histogram) (time.Duration, error) {
	started := time.Now()
	for at := started; ; {
		for range batch {
			if err := op(); err != nil {
				return 0, err
			}
		}
		now := time.Now()
		if err := latencies.RecordValues(inBounds(now.Sub(at)/batch), batch); err != nil {
			return 0, err
		}
		at = now
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if elapsed := at.Sub(started); elapsed >= span {
			return elapsed, nil
		}
	}
}
