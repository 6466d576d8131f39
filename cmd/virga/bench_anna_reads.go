package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/sdk"
)

const (
	annaReaders = 16 // callers of a client
	// readPace is how often each of them gets a key, unless cases are short.
	readPace  = 20 * time.Millisecond
	readsEach = 50 // gets of each in the time of a case, at the least
	// readWindow is how many times a case's duration the gets are watched before and after a change.
	readWindow = 5
	// readTimeout bounds one get, with all its attempts.
	readTimeout = 20 * time.Second
)

// annaReads are gets at a steady rate while nodes come and go.
type annaReads struct {
	client *sdk.Client
	load   *bench.Paced
}

// startReaders connects a client to a node, which learns of the others as any
// client does, and begins to get keys by chance.
func (b *benchRun) startReaders(ctx context.Context, m *benchMesh, node, callers int, keys []string) (*annaReads, error) {
	client, err := sdk.Dial(ctx, sdk.Config{ContextDir: m.home, Addrs: []string{m.nodes[node].Addr}})
	if err != nil {
		return nil, err
	}
	pace := bench.Pace{Callers: callers, Every: max(time.Microsecond, min(readPace, b.duration/readsEach)), Timeout: readTimeout}
	return &annaReads{client: client, load: pace.Start(ctx, func(ctx context.Context, _ int) error {
		_, err := client.Get(ctx, keys[rand.IntN(len(keys))])
		return err
	})}, nil
}

// steady gives what the gets take while nothing happens.
func (r *annaReads) steady(ctx context.Context, b *benchRun) (bench.Sample, error) {
	err := b.settleReaders(ctx, r)
	return r.load.Window(), err
}

// settleReaders lets clients learn who owns what, and then measures for a while.
func (b *benchRun) settleReaders(ctx context.Context, readers ...*annaReads) error {
	if err := rest(ctx, 2*b.duration); err != nil {
		return err
	}
	for _, r := range readers {
		r.load.Window()
	}
	return b.watchReaders(ctx, readers...)
}

// watchReaders measures for a while, and until each has something to tell.
func (b *benchRun) watchReaders(ctx context.Context, readers ...*annaReads) error {
	err := rest(ctx, readWindow*b.duration)
	for _, r := range readers {
		if err == nil {
			err = r.load.Some(ctx)
		}
	}
	return err
}

// stop ends the gets, and gives the error that there was before or else that
// of a get that never succeeded.
func (r *annaReads) stop(before error) error {
	_, err := r.load.Stop()
	if before != nil {
		err = before
	}
	return errors.Join(err, r.client.Close())
}

// caseSample is a sample and the name of its case.
type caseSample struct {
	name   string
	sample bench.Sample
}

func (b *benchRun) noteAll(samples ...caseSample) error {
	for _, s := range samples {
		if err := b.note(s.name, s.sample); err != nil {
			return err
		}
	}
	return nil
}
