package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
)

const (
	turnBlock  = 50               // runs of a case before it is the next one's turn
	runTimeout = 10 * time.Second // of one run, with all attempts
)

// turnCase is one of the cases that are compared. They take turns, so that
// whatever the machine does hits them all.
type turnCase struct {
	name string
	// run makes the run of a number, which differs from those of the same
	// number in other cases by what is compared alone.
	run func(ctx context.Context, number int) (making, error)

	took      []time.Duration
	elapsed   time.Duration
	conflicts int // calls that ended with one, beside those
}

// making is how a run was made, with the calls that ended with a conflict apart.
type making struct {
	took      time.Duration // the call that succeeded
	conflicts int
}

// makeRun calls until a call does not end with a conflict, which has written nothing.
func makeRun(ctx context.Context, level mesh.Consistency, call func() error) (made making, err error) {
	for ; ; made.conflicts++ {
		start := time.Now()
		err = call()
		if level != mesh.Transactional || !errors.Is(err, mesh.Conflict) || ctx.Err() != nil {
			made.took = time.Since(start)
			return made, err
		}
	}
}

// insistWithin calls again while there is no room, for as long as a run may take.
func insistWithin(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	return insist(ctx, func() error { return call(ctx) })
}

// turnBlocks is how many blocks have so many runs.
func turnBlocks(runs int) int { return (runs + turnBlock - 1) / turnBlock }

// byTurns makes so many blocks of runs of each case, after others whose times
// are not kept.
func byTurns(ctx context.Context, cases []*turnCase, callers, warmup, blocks int) error {
	for block := range warmup + blocks {
		for turn := range cases { // another one first each time
			c := cases[(turn+block)%len(cases)]
			if block == warmup {
				c.took, c.elapsed, c.conflicts = nil, 0, 0
			}
			if err := c.block(ctx, callers, block*turnBlock); err != nil {
				return mesh.AsError("bench "+c.name, err)
			}
		}
	}
	return nil
}

// block makes a block of runs, from a number on.
func (c *turnCase) block(ctx context.Context, callers, from int) error {
	took := make([]time.Duration, turnBlock)
	var next, conflicts atomic.Int64
	group, within := errgroup.WithContext(ctx)
	began := time.Now()
	for range callers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < turnBlock; i = int(next.Add(1)) - 1 {
				made, err := c.run(within, from+i)
				if err != nil {
					return err
				}
				conflicts.Add(int64(made.conflicts))
				took[i] = made.took
			}
			return nil
		})
	}
	err := group.Wait()
	c.elapsed += time.Since(began)
	c.took = append(c.took, took...)
	c.conflicts += int(conflicts.Load())
	return err
}

func (c *turnCase) sample(callers int) bench.Sample {
	s := bench.SampleOf(c.took...)
	s.Callers, s.Elapsed = callers, c.elapsed
	return s
}
