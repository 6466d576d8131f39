package sdk

import (
	"context"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// StateOptions say how state is read and written. Zero fields mean the nodes' defaults.
type StateOptions struct {
	ReadQuorum  int             // owners whose answers a get merges
	WriteQuorum int             // owners that must hold a write before it is answered
	Durability  mesh.Durability // of each owner's copy before it counts
	// TTL is how long a key is kept from a write on, at least a millisecond; 0:
	// a register for ever, and what is added to as long as it was.
	TTL time.Duration
	// Behind makes writes answered when the asked node has taken them, with
	// Durability; it makes them then (write-behind). The Ack says that no
	// owner holds them yet, and what goes wrong later only that node's log
	// tells. Reads through that node wait for them.
	Behind bool
}

// WithState gives a client that reads and writes so, over the same connections.
func (c *Client) WithState(o StateOptions) *Client {
	view := *c
	view.state = o
	return &view
}

func (c *Client) key(name string) (mesh.Key, error) {
	key := mesh.Key{Namespace: c.namespace, Name: name}
	return key, key.Validate()
}

// Get reads a key of any kind. A missing key is NotFound. See Register, Set
// and their like for typed access.
func (c *Client) Get(ctx context.Context, name string) (lattice.Value, error) {
	op := "get " + name
	key, err := c.key(name)
	if err != nil {
		return lattice.Value{}, err
	}
	if c.session != nil {
		return c.getInSession(ctx, key)
	}
	reply, err := do[*pb.GetReply](ctx, c, op, &pb.Get{
		Key: wire.FromKey(key), Quorum: uint32(c.state.ReadQuorum), Session: wire.FromSession(mesh.SessionOf(ctx)),
	})
	if err != nil {
		return lattice.Value{}, err
	}
	v, err := lattice.Decode(reply.Value)
	if err != nil {
		return lattice.Value{}, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	return v, nil
}

// Put applies an operation to a key, which it creates with that kind if it
// is missing. A key of another kind is KindMismatch, and nothing changes.
// The Ack says how many owners hold the write, and how safely. Who wants to
// try again after an error uses a Write.
func (c *Client) Put(ctx context.Context, name string, kind lattice.Kind, op lattice.Op) (mesh.Ack, error) {
	return c.put(ctx, &Write{name: name, kind: kind, op: op}, 0)
}

// Delete removes a key. Removing a missing one is no error.
func (c *Client) Delete(ctx context.Context, name string) error {
	key, err := c.key(name)
	if err != nil {
		return err
	}
	m := &pb.Delete{
		Key: wire.FromKey(key), WriteQuorum: uint32(c.state.WriteQuorum), Durability: uint32(c.state.Durability), Behind: c.state.Behind,
		Session: wire.FromSession(mesh.SessionOf(ctx)),
	}
	if c.session != nil {
		var after lattice.Cell
		if after, m.AfterMost, err = c.session.toFollow(key); err != nil {
			return err
		}
		m.After, m.TellBytes = encodeSeen(after), maxSeen
	}
	reply, err := do[wire.Message](ctx, c, "delete "+name, m)
	if err == nil && c.session != nil {
		told, _ := reply.(*pb.PutReply) // nil: nothing was told
		err = c.heed(ctx, key, told)
	}
	return err
}

// ListedKey is a key as a listing tells it.
type ListedKey struct {
	Name string
	Kind lattice.Kind
	Size int64 // of its value in memory, in bytes, approximately
}

// List gives the keys of the client's namespace whose names begin with
// prefix, in order, fetched a page at a time. An error ends it.
func (c *Client) List(ctx context.Context, prefix string) iter.Seq2[ListedKey, error] {
	return pages(func(after string) ([]ListedKey, bool, error) {
		reply, err := do[*pb.ListReply](ctx, c, "list keys", &pb.List{Namespace: c.namespace, Prefix: prefix, After: after})
		if err != nil {
			return nil, false, err
		}
		keys := make([]ListedKey, 0, len(reply.Keys))
		for _, key := range reply.Keys {
			keys = append(keys, ListedKey{key.Name, lattice.Kind(key.Kind), int64(key.Size)})
		}
		return keys, reply.More, nil
	}, func(key ListedKey) string { return key.Name })
}
