package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

const (
	pushCase = "push: put until a cache has it"
	// pushNodes are so many that two of them do not own a key, and cache it.
	pushNodes = benchReplicas + 2
	pushPause = 5 * time.Millisecond // between two changes
)

// annaPush measures how long after a put was acknowledged the last of the
// caches that hold the key shows the change.
func (b *benchRun) annaPush(ctx context.Context) error {
	if !b.wants(pushCase) {
		return nil
	}
	return b.withMesh(ctx, pushNodes, func(m *benchMesh) error {
		const name = "pushed"
		owners := m.owners(name)
		return m.each(ctx, nil, func(clients map[int]*sdk.Client) error {
			var owner *sdk.Client
			var caches []*sdk.Client
			for i, client := range clients {
				switch {
				case m.ids[i] == owners[0]:
					owner = client
				case !slices.Contains(owners, m.ids[i]):
					caches = append(caches, client)
				}
			}
			latencies, err := b.pushes(ctx, name, owner, caches)
			if err != nil {
				return err
			}
			return b.note(pushCase, bench.SampleOf(latencies...))
		})
	})
}

// pushes changes a register again and again: 200 times, where a case takes a second.
func (b *benchRun) pushes(ctx context.Context, name string, owner *sdk.Client, caches []*sdk.Client) (latencies []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.caseTimeout())
	defer cancel()
	if err := cacheKey(ctx, name, owner, caches, pushValue(0)); err != nil {
		return nil, err
	}
	for n := 1; time.Duration(n)*pushPause <= b.duration+pushPause; n++ {
		took, err := push(ctx, name, owner, caches, pushValue(n))
		if err != nil {
			return nil, err
		}
		latencies = append(latencies, took)
		if err := rest(ctx, pushPause); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

func pushValue(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// cacheKey writes a register, and reads it at nodes that cache it from then on.
func cacheKey(ctx context.Context, name string, owner *sdk.Client, caches []*sdk.Client, value []byte) error {
	if _, err := owner.Put(ctx, name, lattice.LWWKind, lattice.SetOp(value)); err != nil {
		return err
	}
	for _, cache := range caches {
		if err := readUntil(ctx, name, cache, value); err != nil {
			return err
		}
		status, err := cache.Status(ctx)
		if err != nil {
			return err
		}
		if status.CachedKeys == 0 {
			return mesh.Errorf(mesh.Internal, "bench", "%s owns no copy of %s and caches none after a get", status.ID.Short(), name)
		}
	}
	return nil
}

// push makes one change, and gives how long after its acknowledgement all caches show it.
func push(ctx context.Context, name string, owner *sdk.Client, caches []*sdk.Client, value []byte) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type seen struct {
		at  time.Time
		err error
	}
	all := make(chan seen, len(caches))
	for _, cache := range caches {
		go func() { // ends with ctx at the latest; push waits for it
			err := readUntil(ctx, name, cache, value)
			all <- seen{time.Now(), err}
		}()
	}
	_, err := owner.Put(ctx, name, lattice.LWWKind, lattice.SetOp(value))
	acked := time.Now()
	if err != nil {
		cancel()
	}
	var last time.Time
	for range caches {
		s := <-all
		err = errors.Join(err, s.err)
		if s.at.After(last) {
			last = s.at
		}
	}
	return max(0, last.Sub(acked)), err
}

// readUntil reads in a tight loop until a node shows the value.
func readUntil(ctx context.Context, name string, client *sdk.Client, value []byte) error {
	for {
		got, err := client.Get(ctx, name)
		if err != nil {
			return err
		}
		if payload, _ := got.Payload(); bytes.Equal(payload, value) {
			return nil
		}
	}
}
