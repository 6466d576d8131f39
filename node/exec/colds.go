package exec

import (
	"sync"
	"time"
)

// ColdBounds are those of the buckets of ColdStarts.
var ColdBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

// ColdStarts is how long it took to make ready what was called and was not.
type ColdStarts struct {
	Count uint64
	Sum   time.Duration
	UpTo  [len(ColdBounds)]uint64 // that took no longer, by bound
}

type coldStarts struct {
	mu    sync.Mutex
	total ColdStarts
}

// note counts a cold start; 0 is none.
func (c *coldStarts) note(d time.Duration) {
	if d <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Count++
	c.total.Sum += d
	for i, bound := range ColdBounds {
		if d <= bound {
			c.total.UpTo[i]++
		}
	}
}

// ColdStarts tells those since the node started.
func (e *Executor) ColdStarts() ColdStarts {
	e.colds.mu.Lock()
	defer e.colds.mu.Unlock()
	return e.colds.total
}
