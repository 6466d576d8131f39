package dht

import (
	"math/rand/v2"
	"time"
)

// The wait before the next dial of a missing node or bootstrap address: it
// doubles from first to longest and varies by a quarter either way, so that
// the nodes of a healed partition do not all dial at once.
const (
	firstRedial   = 200 * time.Millisecond
	longestRedial = 2 * time.Second
)

// refusedRedial is the wait after a dial that was refused: its certificate
// expired, or another node is at its address. Nothing but time may mend that.
const refusedRedial = 30 * time.Second

// attempt is how dialling something stands. Nothing is given up.
type attempt struct {
	dialling bool
	tried    bool // a dial has ended at least once
	failures int  // in a row
	next     time.Time
}

func (a *attempt) ready(now time.Time) bool { return !a.dialling && !a.next.After(now) }

func (a *attempt) start() { a.dialling = true }

// end notes the outcome of a dial.
func (a *attempt) end(succeeded bool, now time.Time) {
	a.dialling, a.tried = false, true
	if succeeded {
		a.failures = 0
	} else {
		a.failures++
	}
	a.next = now.Add(redialAfter(a.failures))
}

// retryAt brings the next dial to a time, without what failures added.
func (a *attempt) retryAt(t time.Time) { a.failures, a.next = 0, t }

func redialAfter(failures int) time.Duration {
	wait := min(firstRedial<<min(failures, 10), longestRedial)
	return wait*3/4 + rand.N(wait/2)
}
