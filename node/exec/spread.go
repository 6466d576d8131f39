package exec

import (
	"math"
	"time"
)

// rate counts events per second; what is older counts less. The zero value is ready.
type rate struct {
	value float64
	as    time.Time
}

// rateLife is the time after which an event counts 1/e.
const rateLife = 2 * time.Second

func (r *rate) at(now time.Time) float64 {
	if r.value == 0 {
		return 0
	}
	return r.value * math.Exp(-max(0, now.Sub(r.as).Seconds())/rateLife.Seconds())
}

func (r *rate) add(now time.Time) {
	r.value = r.at(now) + 1/rateLife.Seconds()
	r.as = now
}

// spread is a histogram of durations that forgets: every spreadLife, what it
// counted counts half.
type spread struct {
	counts [spreadBuckets]float64
	count  float64
	sum    float64 // of seconds
	as     time.Time
}

const (
	spreadBuckets = 64
	spreadLife    = 10 * time.Second
	spreadBase    = time.Microsecond // the first bucket's bound
	spreadGrowth  = 1.4              // from one bound to the next: the last is half an hour
)

func (s *spread) add(now time.Time, d time.Duration) {
	if s.as.IsZero() {
		s.as = now
	}
	for now.Sub(s.as) >= spreadLife {
		s.halve()
		if s.as = s.as.Add(spreadLife); s.count < 1e-3 {
			s.as = now
		}
	}
	s.counts[bucketOf(d)]++
	s.count++
	s.sum += d.Seconds()
}

func (s *spread) halve() {
	for i := range s.counts {
		s.counts[i] /= 2
	}
	s.count /= 2
	s.sum /= 2
}

func bucketOf(d time.Duration) int {
	if d <= spreadBase {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(d)/float64(spreadBase))/math.Log(spreadGrowth))), spreadBuckets-1)
}

func (s *spread) mean() time.Duration {
	if s.count == 0 {
		return 0
	}
	return time.Duration(s.sum / s.count * float64(time.Second))
}

// quantile gives the bound of the bucket that it lies in.
func (s *spread) quantile(q float64) time.Duration {
	var below float64
	for i, n := range s.counts {
		if below += n; n > 0 && below >= q*s.count-1e-9 {
			return time.Duration(float64(spreadBase) * math.Pow(spreadGrowth, float64(i)))
		}
	}
	return 0
}
