package sdk

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// DefaultDialTimeout bounds Dial where its context has no deadline.
const DefaultDialTimeout = 10 * time.Second

// Dial connects to a mesh: to whichever of the addresses answers first. The
// client learns where the other nodes are, and soon keeps a connection to a
// second one: when a node dies, or says nothing for a tenth of a second though
// it owes answers, requests go there. Reads and writes of a key go straight to
// one of its owners once the client was told of them.
//
// A request that can be repeated without harm is,
// within its deadline: reads, futures (the mesh runs one once, by its id),
// writes (a node counts a write once, by its id) and deployments. A call that
// is waited for is repeated too: it runs at least once, or once if its options
// name the run. A request that cannot be repeated fails with Unavailable.
//
// The client must be closed. Errors: Invalid for what is wrong with c,
// Denied when the mesh does not admit the client, Unavailable or
// DeadlineExceeded when no node answers.
func Dial(ctx context.Context, c Config) (*Client, error) {
	id, err := c.identity(time.Now())
	if err != nil {
		return nil, err
	}
	if c.MaxConns < 0 {
		return nil, mesh.Errorf(mesh.Invalid, "dial", "MaxConns is %d: expected at least 1", c.MaxConns)
	}
	c.MaxConns = cmp.Or(c.MaxConns, defaultMaxConns)
	namespace := cmp.Or(c.Namespace, mesh.DefaultNamespace)
	if err := mesh.ValidateNamespace(namespace); err != nil {
		return nil, err
	}
	r := newRemote(id.addrs, c)
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r.endpoint, err = link.Listen(link.Config{Credential: id.credential, Handler: r, ListenPacket: c.ListenPacket, Log: log})
	if err != nil {
		return nil, mesh.AsError("dial", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultDialTimeout)
		defer cancel()
	}
	if _, err := r.connect(ctx); err != nil {
		_ = r.close()
		return nil, err
	}
	if r.maxConns > 1 {
		r.tending.Go(r.tend)
	}
	return &Client{transport: r, remote: r, namespace: namespace}, nil
}
