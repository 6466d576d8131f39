package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Sample is what one load measured.
type Sample struct {
	Callers int
	Elapsed time.Duration
	// Counted says that Allocs is known, which RunTight finds out: how often
	// the process allocated for each operation.
	Counted bool
	Allocs  float64

	latencies *hdrhistogram.Histogram
}

// N is how many operations were measured.
func (s Sample) N() int64 { return s.latencies.TotalCount() }

// Throughput is operations per second, over all callers.
func (s Sample) Throughput() float64 { return float64(s.N()) / s.Elapsed.Seconds() }

// Percentile is the latency that p percent of the operations did not exceed.
func (s Sample) Percentile(p float64) time.Duration {
	return time.Duration(s.latencies.ValueAtPercentile(p))
}

// Mean is the mean latency.
func (s Sample) Mean() time.Duration { return time.Duration(s.latencies.Mean()) }

// Min is the shortest latency.
func (s Sample) Min() time.Duration { return time.Duration(s.latencies.Min()) }

// Max is the longest latency.
func (s Sample) Max() time.Duration { return time.Duration(s.latencies.Max()) }
