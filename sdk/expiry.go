package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Touch makes a key of any kind expire ttl from now, by the clock of the node
// that owns it, in place of when it was to. The ttl is at least a
// millisecond. A missing key is NotFound. StateOptions.TTL does so in a write.
func (c *Client) Touch(ctx context.Context, name string, ttl time.Duration) (mesh.Ack, error) {
	if ttl < time.Millisecond {
		return mesh.Ack{}, mesh.Errorf(mesh.Invalid, "touch "+name, "a time to live of %v: expected at least 1 ms; Persist keeps a key for ever", ttl)
	}
	return c.touch(ctx, name, ttl)
}

// Persist makes a key of any kind never expire. A missing key is NotFound.
func (c *Client) Persist(ctx context.Context, name string) (mesh.Ack, error) {
	return c.touch(ctx, name, 0)
}

func (c *Client) touch(ctx context.Context, name string, ttl time.Duration) (mesh.Ack, error) {
	key, err := c.key(name)
	if err != nil {
		return mesh.Ack{}, err
	}
	reply, err := do[*pb.PutReply](ctx, c, "touch "+name, &pb.Touch{
		Key: wire.FromKey(key), TtlMs: ttlMillis(ttl),
		WriteQuorum: uint32(c.state.WriteQuorum), Durability: uint32(c.state.Durability),
	})
	if err != nil {
		return mesh.Ack{}, err
	}
	return toAck(reply), nil
}

// TTL is how long a key is kept from now on, to the millisecond; expires is
// false if it is kept for ever. A missing key is NotFound.
func (c *Client) TTL(ctx context.Context, name string) (ttl time.Duration, expires bool, err error) {
	reply, err := c.getDetails(ctx, name)
	if err != nil {
		return 0, false, err
	}
	return time.Duration(reply.TtlMs) * time.Millisecond, reply.TtlMs > 0, nil
}

// CausesSize is how many bytes a key holds beside its value to order the reads
// of runs at causal levels: some 12 for each node on whose writes it depends, 0 if
// no run at such a level has written it. A missing key is NotFound.
func (c *Client) CausesSize(ctx context.Context, name string) (int, error) {
	reply, err := c.getDetails(ctx, name)
	if err != nil {
		return 0, err
	}
	return int(reply.CausesBytes), nil
}

// getDetails reads a key with what there is beside its value.
func (c *Client) getDetails(ctx context.Context, name string) (*pb.GetReply, error) {
	key, err := c.key(name)
	if err != nil {
		return nil, err
	}
	return do[*pb.GetReply](ctx, c, "get "+name, &pb.Get{
		Key: wire.FromKey(key), Quorum: uint32(c.state.ReadQuorum), Details: true,
	})
}

// ttlMillis rounds up; the nodes refuse what is out of bounds.
func ttlMillis(ttl time.Duration) uint64 {
	return uint64((ttl + time.Millisecond - 1) / time.Millisecond)
}

func toAck(reply *pb.PutReply) mesh.Ack {
	return mesh.Ack{Replicas: int(reply.Replicas), Durability: mesh.Durability(min(reply.Durability, 255))}
}
