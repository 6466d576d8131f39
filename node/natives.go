package node

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
)

// nativeVersion is the version of all native functions: they change with the
// program that embeds the node.
const nativeVersion = "native"

// hostRetry is the pause before the mesh is told again what this node hosts,
// while too few nodes can be reached.
const hostRetry = 200 * time.Millisecond

// hostNatives tells the mesh which native functions this node runs, and that
// it no longer runs what an earlier life of it did. While too few nodes can be
// reached it calls delayed now and then, and goes on.
func (r *rooms) hostNatives(ctx context.Context, delayed func()) error {
	for {
		err := r.tellHosted(ctx)
		if !errors.Is(err, mesh.Unavailable) && !errors.Is(err, mesh.DeadlineExceeded) {
			return err
		}
		r.log.Info("the mesh could not be told what this node hosts; trying again", "err", err)
		delayed()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(hostRetry):
		}
	}
}

// Bounds of telling: of each function for itself, since with many of them on a
// slow network all together have no time that is known.
const (
	tellTimeout = 10 * time.Second
	tellAtOnce  = 16
)

func (r *rooms) tellHosted(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(tellAtOnce)
	for _, native := range r.natives {
		group.Go(func() error {
			within, cancel := context.WithTimeout(within, tellTimeout)
			defer cancel()
			ref := native.ref
			ref.Version = nativeVersion
			return r.catalog.Host(within, mesh.FuncInfo{Ref: ref, Kind: mesh.Native, Limits: native.limits}, r.self, false)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	return r.catalog.Retire(ctx, r.self, r.exec.Runs)
}
