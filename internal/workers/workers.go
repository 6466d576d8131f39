// Package workers runs jobs on goroutines that are used again: a new
// goroutine for each would grow its stack each time.
package workers

import "sync/atomic"

// maxIdle bounds the goroutines of a pool that wait for a job.
const maxIdle = 64

// Pool runs jobs: on a goroutine that waits for one, or on a new one.
type Pool struct {
	spawn func(func()) bool
	stop  <-chan struct{}
	jobs  chan func()
	idle  atomic.Int32
}

// New makes a pool. Spawn starts a goroutine, for whose end its owner waits;
// it is false when no more may be started. Those that wait end with stop.
func New(spawn func(func()) bool, stop <-chan struct{}) *Pool {
	return &Pool{spawn: spawn, stop: stop, jobs: make(chan func())}
}

// Do runs job soon. It is false when no goroutine may be started.
func (p *Pool) Do(job func()) bool {
	select {
	case p.jobs <- job:
		return true
	default:
		return p.spawn(func() { p.work(job) })
	}
}

func (p *Pool) work(job func()) {
	for {
		job()
		if p.idle.Add(1) > maxIdle {
			p.idle.Add(-1)
			return
		}
		select {
		case job = <-p.jobs:
			p.idle.Add(-1)
		case <-p.stop:
			return
		}
	}
}
