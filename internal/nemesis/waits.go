package nemesis

import (
	"slices"
	"sync"
	"time"
)

// waits remembers how long calls took from their first attempt to their
// success. It is safe for concurrent use.
type waits struct {
	lock  sync.Mutex
	next  int
	under map[int]call // under way
	slow  []call       // that took slowCall at least
}

type call struct {
	key          Key
	began, ended time.Time
}

// slowCall is what a call must take to be remembered: shorter ones are no outage.
const slowCall = 20 * time.Millisecond

func newWaits() *waits { return &waits{under: map[int]call{}} }

// begin notes a call, and gives its number.
func (w *waits) begin(key Key) int {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.next++
	w.under[w.next] = call{key: key, began: time.Now()}
	return w.next
}

// end notes that a call has succeeded, or was given up.
func (w *waits) end(number int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	c := w.under[number]
	delete(w.under, number)
	if c.ended = time.Now(); c.ended.Sub(c.began) >= slowCall {
		w.slow = append(w.slow, c)
	}
}

// longest gives the longest wait since a time, of the calls whose key is
// concerned and of all others. Calls still under way have waited until now.
func (w *waits) longest(since time.Time, concerned func(Key) bool) (of, others time.Duration) {
	w.lock.Lock()
	defer w.lock.Unlock()
	all := slices.Clone(w.slow)
	for _, c := range w.under {
		c.ended = time.Now()
		all = append(all, c)
	}
	for _, c := range all {
		began := c.began
		if began.Before(since) {
			began = since
		}
		switch waited := c.ended.Sub(began); {
		case concerned(c.key):
			of = max(of, waited)
		default:
			others = max(others, waited)
		}
	}
	return of, others
}
