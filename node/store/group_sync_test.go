package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func startGroupSync(t *testing.T, interval time.Duration, sync func() error) *groupSync {
	g := newGroupSync(interval, sync)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return g
}

func TestGroupSyncWithinTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var synced []time.Duration
		start := time.Now()
		g := startGroupSync(t, 10*time.Millisecond, func() error {
			synced = append(synced, time.Since(start))
			return nil
		})
		for range 5 {
			g.Wrote()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(synced) != 1 || synced[0] != 10*time.Millisecond {
			t.Errorf("synced at %v, want once, after 10ms, and not while idle", synced)
		}
	})
}

func TestGroupSyncWaitersShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs atomic.Int32
		g := startGroupSync(t, time.Hour, func() error {
			syncs.Add(1)
			time.Sleep(5 * time.Millisecond)
			return nil
		})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := g.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := syncs.Load(); n < 1 || n > 2 {
			t.Errorf("100 waiters cost %d syncs, want 1 or 2", n)
		}
	})
}

func TestGroupSyncTellsTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		g := startGroupSync(t, time.Millisecond, func() error { return broken })
		if err := g.Wait(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Wait = %v, want the error of the sync", err)
		}
	})
}

func TestGroupSyncWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := startGroupSync(t, time.Millisecond, func() error { <-release; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v, want DeadlineExceeded", err)
		}
		close(release)
	})
}
