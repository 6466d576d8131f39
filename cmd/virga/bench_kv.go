package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// valueSize is a size of values that are read and written.
type valueSize struct {
	name  string
	bytes int
}

var valueSizes = []valueSize{{"100 B", 100}, {"1 KiB", 1 << 10}, {"64 KiB", 64 << 10}}

func getCase(size string) string { return "get " + size }

func putCase(size string, quorum int) string { return fmt.Sprintf("put %s, W = %d", size, quorum) }

// kv measures reads and writes of registers, each caller on a key of its own.
func (b *benchRun) kv(ctx context.Context) error {
	for _, size := range valueSizes {
		value := make([]byte, size.bytes)
		for _, key := range b.registers(size, 0) {
			if err := key.Put(ctx, value); err != nil {
				return err
			}
		}
		if err := b.get(ctx, size); err != nil {
			return err
		}
		for _, quorum := range []int{1, 2} {
			if err := b.put(ctx, size, quorum, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *benchRun) get(ctx context.Context, size valueSize) error {
	keys := b.registers(size, 0)
	for _, callers := range b.callers {
		err := b.measure(ctx, getCase(size.name), callers, func(ctx context.Context, caller int) error {
			_, err := keys[caller].Get(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *benchRun) put(ctx context.Context, size valueSize, quorum int, value []byte) error {
	keys := b.registers(size, quorum)
	for _, callers := range b.callers {
		err := b.measure(ctx, putCase(size.name, quorum), callers, func(ctx context.Context, caller int) error {
			return insist(ctx, func() error { return keys[caller].Put(ctx, value) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// overloadPause is what a client waits before it tries again what was refused as Overloaded.
const overloadPause = time.Millisecond

// insist does again what is refused because more is under way than may be,
// which with W = 1 the owners that nobody waits for can bring about. The
// time that takes counts.
func insist(ctx context.Context, op func() error) error {
	for {
		err := op()
		if !errors.Is(err, mesh.Overloaded) {
			return err
		}
		select {
		case <-time.After(overloadPause):
		case <-ctx.Done():
			return err
		}
	}
}

// registers are as many as there are callers at most; a quorum of 0 is the nodes' default.
func (b *benchRun) registers(size valueSize, quorum int) []sdk.RegisterHandle[[]byte] {
	client := b.mesh.client.WithState(sdk.StateOptions{WriteQuorum: quorum})
	keys := make([]sdk.RegisterHandle[[]byte], slices.Max(b.callers))
	for i := range keys {
		keys[i] = sdk.Register[[]byte](client, fmt.Sprintf("bench/%d/%d", size.bytes, i))
	}
	return keys
}
