package link

import "sync/atomic"

// maxIdleWorkers bounds the goroutines of an endpoint that wait for the next
// request to serve. Reusing them saves growing a stack for each request.
const maxIdleWorkers = 64

// workers run jobs: on a goroutine that waits for one, or on a new one.
type workers struct {
	spawn func(func()) bool // starts a goroutine of the endpoint
	stop  <-chan struct{}   // closed when the endpoint closes
	jobs  chan func()
	idle  atomic.Int32
}

// do runs job soon. It is false when the endpoint is closed.
func (w *workers) do(job func()) bool {
	select {
	case w.jobs <- job:
		return true
	default:
		return w.spawn(func() { w.work(job) })
	}
}

func (w *workers) work(job func()) {
	for {
		job()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case job = <-w.jobs:
			w.idle.Add(-1)
		case <-w.stop:
			return
		}
	}
}
