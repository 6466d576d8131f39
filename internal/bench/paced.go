package bench

import (
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Pace is a load at a steady rate: each caller begins an operation every so
// often, however long those before it take. An operation that is late because
// the one before it was slow counts from when it was due: so a pause of a
// tenth of a second shows as all the operations that it held up, and not as one.
type Pace struct {
	Callers int
	Every   time.Duration // between two operations of one caller
	Timeout time.Duration // of one operation, with all its attempts
}

// Paced is such a load under way.
type Paced struct {
	pace    Pace
	op      Operation
	cancel  context.CancelFunc
	callers sync.WaitGroup
	ending  chan struct{} // closed by Stop

	mu        sync.Mutex
	latencies *hdrhistogram.Histogram // of this window
	failures  int64
	since     time.Time
	err       error
}

// retryPause is between a failed attempt and the next.
const retryPause = 2 * time.Millisecond

// Start drives op. One that fails is tried again until it succeeds, which is
// when it ends; its failures are counted.
func (p Pace) Start(ctx context.Context, op Operation) *Paced {
	run := &Paced{pace: p, op: op, ending: make(chan struct{}), latencies: newLatencies(), since: time.Now()}
	ctx, run.cancel = context.WithCancel(ctx)
	for caller := range p.Callers {
		run.callers.Go(func() { run.drive(ctx, caller) })
	}
	return run
}

// Window gives what ended since the last call, or the start.
func (r *Paced) Window() Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	sample := Sample{Callers: r.pace.Callers, Elapsed: now.Sub(r.since), Failures: r.failures, latencies: r.latencies}
	r.latencies, r.failures, r.since = newLatencies(), 0, now
	return sample
}

// Some waits until an operation of this window has ended.
func (r *Paced) Some(ctx context.Context) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		r.mu.Lock()
		n, err := r.latencies.TotalCount(), r.err
		r.mu.Unlock()
		if n > 0 || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop waits for the operations under way, and gives the last window. The
// error is that of an operation that never succeeded.
func (r *Paced) Stop() (Sample, error) {
	close(r.ending)
	r.callers.Wait()
	r.cancel()
	sample := r.Window()
	return sample, r.err
}

func (r *Paced) drive(ctx context.Context, caller int) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	due := time.Now().Add(r.pace.Every * time.Duration(caller) / time.Duration(r.pace.Callers))
	for {
		began := due
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-r.ending:
				return
			case <-ctx.Done():
				return
			}
			began = time.Now() // what the timer is late is not the operation's
		}
		if err := r.insist(ctx, caller); err != nil {
			r.fail(err)
			return
		}
		r.note(time.Since(began))
		due = due.Add(r.pace.Every)
		select {
		case <-r.ending:
			return
		default:
		}
	}
}

// insist tries until it succeeds.
func (r *Paced) insist(ctx context.Context, caller int) error {
	ctx, cancel := context.WithTimeout(ctx, r.pace.Timeout)
	defer cancel()
	for {
		err := r.op(ctx, caller)
		if err == nil {
			return nil
		}
		r.mu.Lock()
		r.failures++
		r.mu.Unlock()
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
	}
}

func (r *Paced) note(latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.latencies.RecordValue(inBounds(latency)) // which is all that it may refuse
}

func (r *Paced) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}
