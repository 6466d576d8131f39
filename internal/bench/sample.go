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
	// Failures are the attempts that failed and were made again.
	Failures int64
	// Violations are how often operations saw what they were never to see, where that was counted; nil: it was not.
	Violations *int64

	latencies *hdrhistogram.Histogram
}

func newLatencies() *hdrhistogram.Histogram {
	return hdrhistogram.New(lowestLatency, highestLatency, digits)
}

// inBounds is a latency as a histogram takes it.
func inBounds(latency time.Duration) int64 {
	return min(max(int64(latency), lowestLatency), highestLatency)
}

// SampleOf is the sample of latencies that were measured one after another by
// one caller. One that is too short to be told counts as the shortest that can.
func SampleOf(latencies ...time.Duration) Sample {
	s := Sample{Callers: 1, latencies: newLatencies()}
	for _, latency := range latencies {
		told := inBounds(latency)
		s.Elapsed += time.Duration(told)
		_ = s.latencies.RecordValue(told) // its bounds are all that it may refuse
	}
	return s
}

// N is how many operations were measured.
func (s Sample) N() int64 { return s.latencies.TotalCount() }

// Throughput is operations per second, over all callers.
func (s Sample) Throughput() float64 { return Ratio(float64(s.N()), s.Elapsed.Seconds()) }

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
