package main

import (
	"context"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh/link"
)

// Cases of the transport.
const (
	floorCase    = "floor: QUIC, one stream"
	datagramCase = "floor: UDP"
)

// floor measures what the transport costs.
func (b *benchRun) floor(ctx context.Context) error {
	for _, callers := range b.callers {
		sample, err := b.quicFloor(ctx, b.load(callers))
		if err != nil {
			return err
		}
		b.report.SetFloor(sample)
		if err := b.report.Add(floorCase, sample).Write(b.out); err != nil {
			return err
		}
	}
	for _, callers := range b.callers {
		if !b.wants(datagramCase) {
			continue
		}
		sample, err := b.sample(ctx, datagramCase, func(ctx context.Context) (bench.Sample, error) {
			return bench.UDPFloor(ctx, b.echo.UDP, b.load(callers))
		})
		if err != nil {
			return err
		}
		if err := b.report.Add(datagramCase, sample).Write(b.out); err != nil {
			return err
		}
	}
	return nil
}

// refreshFloor measures the floor once more, more briefly, just before a
// case: what it is with one caller changes threefold with how busy a machine
// is and where its scheduler puts two processes.
func (b *benchRun) refreshFloor(ctx context.Context, callers int) error {
	load := b.load(callers)
	load.Warmup, load.Measure = load.Warmup/4, load.Measure/4
	sample, err := b.quicFloor(ctx, load)
	if err == nil {
		b.report.SetFloor(sample)
	}
	return err
}

func (b *benchRun) quicFloor(ctx context.Context, load bench.Load) (bench.Sample, error) {
	return b.sample(ctx, floorCase, func(ctx context.Context) (bench.Sample, error) {
		return bench.QUICFloor(ctx, b.echo.QUIC, link.Limits{}.QUIC(), load)
	})
}
