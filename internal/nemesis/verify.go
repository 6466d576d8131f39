package nemesis

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// equalTimeout is the longest that nodes may take to show the same after the load.
const equalTimeout = 2 * time.Minute

// verify reads every key through every node after the load, until all show
// the same, and gives how long that took and how it compares with the ledger.
func verify(ctx context.Context, a *arena, l *load) (took time.Duration, sum verdict, err error) {
	began, keys := time.Now(), slices.Concat(l.keys, l.tallies)
	ctx, cancel := context.WithTimeout(ctx, equalTimeout)
	defer cancel()
	clients := make([]*sdk.Client, len(a.nodes))
	for i := range a.nodes {
		if clients[i], err = a.dial(ctx, i); err != nil {
			return 0, sum, err
		}
		defer clients[i].Close()
	}
	for {
		views, err := viewAll(ctx, clients, keys)
		different := ""
		if err == nil {
			different = firstDifference(views, keys)
		}
		if err == nil && different == "" {
			for at, key := range keys {
				sum.add(l.ledger.judge(key, views[0][at]))
			}
			return time.Since(began), sum, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, sum, mesh.Errorf(mesh.DeadlineExceeded, "read everything through every node", "the nodes differ about %q after %v: %w", different, equalTimeout, err)
		}
	}
}

// viewAll reads all keys through each client, one copy each.
func viewAll(ctx context.Context, clients []*sdk.Client, keys []Key) ([][]content, error) {
	views := make([][]content, len(clients))
	group, ctx := errgroup.WithContext(ctx)
	for i, client := range clients {
		views[i] = make([]content, len(keys))
		group.Go(func() error {
			for at, key := range keys {
				var err error
				if views[i][at], err = read(ctx, client, key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return views, group.Wait()
}

// firstDifference names a key of which not all views show the same.
func firstDifference(views [][]content, keys []Key) string {
	if len(views) == 0 {
		return "everything: no node runs"
	}
	for at, key := range keys {
		for _, view := range views[1:] {
			if !view[at].equal(views[0][at]) {
				return key.Name
			}
		}
	}
	return ""
}
