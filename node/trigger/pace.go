package trigger

import "time"

// pace bounds how many runs begin: rate within a second, also at once after a
// time without any. It has no clock.
type pace struct {
	rate  float64
	left  float64
	since time.Time
}

func newPace(rate int, now time.Time) pace {
	return pace{rate: float64(rate), left: float64(rate), since: now}
}

// take reports whether a run may begin now, which then counts.
func (p *pace) take(now time.Time) bool {
	if passed := now.Sub(p.since); passed > 0 {
		p.left = min(p.rate, p.left+p.rate*passed.Seconds())
	}
	p.since = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// at is when the next run may begin.
func (p *pace) at() time.Time {
	if p.left >= 1 {
		return p.since
	}
	return p.since.Add(time.Duration((1-p.left)/p.rate*float64(time.Second)) + time.Millisecond)
}
