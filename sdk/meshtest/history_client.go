package meshtest

import (
	"context"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// HistoryClient is a client whose reads and writes are noted in a History.
//
// Levels are promised to runs. What a client reads is not held against them, but for what
// nobody wrote, what is lost, and what is there in half. And while what it does with one
// key is in order, what it does with one key does not come before what it does
// with another: the mesh would not know of that.
type HistoryClient struct {
	history *History
	session string
	client  *sdk.Client
}

// Client notes what is read and written through a client, under a name that
// violations tell, and that no other client has.
func (h *History) Client(name string, client *sdk.Client) *HistoryClient {
	return &HistoryClient{h, name, client}
}

func (c *HistoryClient) event(key string) check.Event {
	return check.Event{Session: c.session, Key: mesh.Key{Namespace: c.client.Namespace(), Name: key}.String()}
}

// Get reads a register. A missing key is noted, and is a NotFound error.
func (c *HistoryClient) Get(ctx context.Context, key string, into any) error {
	return c.get(ctx, c.event(key), key, into)
}

// Final reads a register once all else has settled, so that a write that is lost is found:
// when no run is under way and no node missing.
func (c *HistoryClient) Final(ctx context.Context, key string, into any) error {
	e := c.event(key)
	e.Final = true
	return c.get(ctx, e, key, into)
}

func (c *HistoryClient) get(ctx context.Context, e check.Event, key string, into any) error {
	return c.history.read(e, into, func() error {
		state, err := c.client.Get(ctx, key)
		if err != nil {
			return err
		}
		return fn.DecodePlain(state, into)
	})
}

// Put writes a register. A value that was written to the key before is an
// Invalid error, and is not written.
func (c *HistoryClient) Put(ctx context.Context, key string, value any) error {
	kind, op, err := fn.PutOp(value)
	if err != nil {
		return err
	}
	return c.history.write(c.event(key), value, func() error {
		_, err := c.client.Put(ctx, key, kind, op)
		return err
	})
}

// Delete removes a key.
func (c *HistoryClient) Delete(ctx context.Context, key string) error {
	return c.history.delete(c.event(key), func() error { return c.client.Delete(ctx, key) })
}
