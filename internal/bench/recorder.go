package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Recorder collects the latencies of one kind of operation among several that
// a load mixes, over any number of stretches of time. Each caller records its
// own; Ran and Sample are for when none does.
type Recorder struct {
	callers []*hdrhistogram.Histogram
	elapsed time.Duration
}

// NewRecorder makes one for so many callers.
func NewRecorder(callers int) *Recorder {
	r := &Recorder{callers: make([]*hdrhistogram.Histogram, callers)}
	for i := range r.callers {
		r.callers[i] = newLatencies()
	}
	return r
}

// Record notes how long an operation of a caller took, from 1 ns to a minute.
func (r *Recorder) Record(caller int, latency time.Duration) {
	_ = r.callers[caller].RecordValue(inBounds(latency)) // its bounds are all that it may refuse
}

// Ran notes how long a stretch lasted, with all that was mixed in it.
func (r *Recorder) Ran(span time.Duration) { r.elapsed += span }

// Sample is what was recorded so far. Its throughput is that of this kind of
// operation alone, while the others ran beside it.
func (r *Recorder) Sample() Sample {
	s := Sample{Callers: len(r.callers), Elapsed: r.elapsed, latencies: newLatencies()}
	for _, recorded := range r.callers {
		s.latencies.Merge(recorded)
	}
	return s
}
