package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Write is one operation on one key, that may be sent until it is
// acknowledged: however often it is, a counter counts it once. It is for one
// goroutine at a time.
type Write struct {
	client *Client
	name   string
	kind   lattice.Kind
	op     lattice.Op
	id     []byte
	began  time.Time // of the first attempt
	// insists has it made where no owner remembers whether it was made before.
	insists bool
}

// Write makes a write of an operation to a key, and sends nothing yet.
func (c *Client) Write(name string, kind lattice.Kind, op lattice.Op) *Write {
	return &Write{client: c, name: name, kind: kind, op: op, id: drawID()}
}

// Rewrite makes a write with an id that another execution of the same work
// gives it, too: whoever sends one with that id, it takes effect once. Age is
// how long ago it may have been sent first; 0: it never was.
func (c *Client) Rewrite(name string, kind lattice.Kind, op lattice.Op, id []byte, age time.Duration) *Write {
	w := &Write{client: c, name: name, kind: kind, op: op, id: id, insists: true}
	if age > 0 {
		w.began = time.Now().Add(-age)
	}
	return w
}

// Do sends the write, as Client.Put does. After Unavailable, Overloaded or
// DeadlineExceeded it may be called again, and again later, through any node.
// Where a node was started since the first attempt and cannot tell whether it
// had the write, it stays Unavailable rather than count twice.
func (w *Write) Do(ctx context.Context) (mesh.Ack, error) {
	var age time.Duration
	if w.began.IsZero() {
		w.began = time.Now()
	} else {
		age = time.Since(w.began)
	}
	return w.client.put(ctx, w, age)
}

// put sends a write of a certain age, 0 for one that was never attempted.
func (c *Client) put(ctx context.Context, w *Write, age time.Duration) (mesh.Ack, error) {
	m, err := c.putMessage(w.name, w.kind, w.op)
	if err != nil {
		return mesh.Ack{}, err
	}
	m.WriteId, m.RetryAgeMs, m.Insist = w.id, retryAge(age), w.insists
	m.Session = wire.FromSession(mesh.SessionOf(ctx))
	key := mesh.Key{Namespace: c.namespace, Name: w.name}
	if c.session != nil {
		if err := c.session.follow(key, m); err != nil {
			return mesh.Ack{}, err
		}
	}
	reply, err := do[*pb.PutReply](ctx, c, "put "+w.name, m)
	if err == nil && c.session != nil {
		err = c.heed(ctx, key, reply)
	}
	if err != nil {
		return mesh.Ack{}, err
	}
	return toAck(reply), nil
}

// putMessage is a put as the client makes them.
func (c *Client) putMessage(name string, kind lattice.Kind, op lattice.Op) (*pb.Put, error) {
	key, err := c.key(name)
	if err != nil {
		return nil, err
	}
	ttl, err := c.state.ttl("put " + name)
	if err != nil {
		return nil, err
	}
	return &pb.Put{
		Key: wire.FromKey(key), Kind: uint32(kind), Op: op.AppendBinary(nil), TtlMs: ttl,
		WriteQuorum: uint32(c.state.WriteQuorum), Durability: uint32(c.state.Durability), Behind: c.state.Behind,
	}, nil
}

// retryAge rounds up, so that a retry is never taken for a first attempt.
func retryAge(age time.Duration) uint64 {
	return uint64((age + time.Millisecond - 1) / time.Millisecond)
}
