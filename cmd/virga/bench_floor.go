package main

import (
	"context"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh/link"
)

// Cases of the transport.
const (
	floorCase      = "floor: QUIC, one stream"
	floorAgainCase = "floor: QUIC, once more"
	datagramCase   = "floor: UDP"
)

// floor measures what the ratios of all other cases refer to.
func (b *benchRun) floor(ctx context.Context) error {
	for _, callers := range b.callers {
		sample, err := b.quicFloor(ctx, callers)
		if err != nil {
			return err
		}
		if err := b.report.AddFloor(floorCase, sample).Write(b.out); err != nil {
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

// floorAgain measures at the end of a run how much the machine has changed
// since its beginning: a ratio is worth no more than this one is near 1.
func (b *benchRun) floorAgain(ctx context.Context) error {
	for _, callers := range b.callers {
		sample, err := b.quicFloor(ctx, callers)
		if err != nil {
			return err
		}
		if err := b.report.Add(floorAgainCase, sample).Write(b.out); err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) quicFloor(ctx context.Context, callers int) (bench.Sample, error) {
	return b.sample(ctx, floorCase, func(ctx context.Context) (bench.Sample, error) {
		return bench.QUICFloor(ctx, b.echo.QUIC, link.Limits{}.QUIC(), b.load(callers))
	})
}
