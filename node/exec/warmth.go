package exec

import (
	"cmp"
	"math"
	"time"
)

// WarmPolicy says how many instances of a module are ready. The zero value of
// a field means its default.
type WarmPolicy struct {
	// Add is the part of the instances in use at once above which there are
	// more. Default 0.7.
	Add float64
	// Remove is the part in use below which there are fewer after Grace. Default 0.1.
	Remove float64
	// Grace is how long less load lasts before instances go. Default 30 s.
	Grace time.Duration
	// Idle is after what time without a call all instances go, and the
	// compiled module. Default 10 min.
	Idle time.Duration
	// Most bounds the instances of one module. Default 1024.
	Most int
}

func (p WarmPolicy) withDefaults() WarmPolicy {
	p.Add = cmp.Or(p.Add, 0.7)
	p.Remove = cmp.Or(p.Remove, 0.1)
	p.Grace = cmp.Or(p.Grace, 30*time.Second)
	p.Idle = cmp.Or(p.Idle, 10*time.Minute)
	p.Most = cmp.Or(p.Most, 1024)
	return p
}

// warmth follows the use of a module's instances. It is a state machine
// without a clock.
type warmth struct {
	total int // instances, idle or in use
	used  int
	peak  int // most in use at once since the last look
	floor int // are to be there whatever the load

	usedAt   time.Time // as of the last look at which it was
	lowSince time.Time // zero: it is not
}

func (w *warmth) begin() {
	w.used++
	w.peak = max(w.peak, w.used)
}

func (w *warmth) end() { w.used-- }

// look gives how many instances there are to be from now on.
func (w *warmth) look(now time.Time, p WarmPolicy) int {
	peak := w.peak
	w.peak = w.used
	if peak > 0 || w.usedAt.IsZero() {
		w.usedAt = now
	}
	busy := int(math.Ceil(float64(peak) / p.Add)) // so many that they are just busy enough
	want := w.total
	switch {
	case now.Sub(w.usedAt) >= p.Idle:
		want = 0
	case float64(peak) > p.Add*float64(w.total):
		want = busy
		w.lowSince = time.Time{}
	case float64(peak) >= p.Remove*float64(w.total) || w.total <= 1:
		w.lowSince = time.Time{}
	case w.lowSince.IsZero():
		w.lowSince = now
	case now.Sub(w.lowSince) >= p.Grace:
		want = max(w.total/2, busy, 1)
		w.lowSince = now
	}
	return min(max(want, w.floor), p.Most)
}

// isIdle reports whether nothing has used the module for so long that it goes.
func (w *warmth) isIdle(now time.Time, p WarmPolicy) bool {
	return w.floor == 0 && w.used == 0 && !w.usedAt.IsZero() && now.Sub(w.usedAt) >= p.Idle
}
