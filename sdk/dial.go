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

// Dial connects to a mesh: to whichever of the addresses answers first. When
// that node dies, the next request goes to another one; the client learns
// where the others are. A request that can be repeated without harm is,
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
	namespace := cmp.Or(c.Namespace, mesh.DefaultNamespace)
	if err := mesh.ValidateNamespace(namespace); err != nil {
		return nil, err
	}
	r := &remote{configured: id.addrs, pinned: c.Pinned, connecting: make(chan struct{}, 1)}
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
		r.close()
		return nil, err
	}
	return &Client{transport: r, remote: r, namespace: namespace}, nil
}
