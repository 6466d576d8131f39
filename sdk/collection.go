package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Element reads one element of a set or one field of a map, of any kind: the
// collection with nothing else in it, or nothing at all where it does not
// hold that. What it costs does not depend on the collection's size. A
// missing key is NotFound, one that is no collection Invalid.
func (c *Client) Element(ctx context.Context, name, element string) (lattice.Value, error) {
	op := "get " + name
	key, err := c.key(name)
	if err != nil {
		return lattice.Value{}, err
	}
	if c.session != nil {
		whole, err := c.getInSession(ctx, key)
		return whole.Select(func(other string) bool { return other == element }), err
	}
	reply, err := do[*pb.GetReply](ctx, c, op, &pb.GetElement{Key: wire.FromKey(key), Element: element, Quorum: uint32(c.state.ReadQuorum)})
	if err != nil {
		return lattice.Value{}, err
	}
	return decodeValue(op, reply.Value)
}

// Pages reads a set or a map of any kind piece by piece, in no order: each
// page is a collection of the same kind with some of the elements or fields,
// which no other page has. What is added or removed meanwhile may be in them
// or not. An error, such as NotFound, ends it.
func (c *Client) Pages(ctx context.Context, name string) iter.Seq2[lattice.Value, error] {
	return func(yield func(lattice.Value, error) bool) {
		for from := uint32(0); ; {
			page, next, err := c.page(ctx, name, from)
			if !yield(page, err) || err != nil || next == 0 {
				return
			}
			from = next
		}
	}
}

func (c *Client) page(ctx context.Context, name string, from uint32) (page lattice.Value, next uint32, err error) {
	op := "get " + name
	key, err := c.key(name)
	if err != nil {
		return page, 0, err
	}
	if c.session != nil {
		page, err = c.getInSession(ctx, key)
		return page, 0, err
	}
	reply, err := do[*pb.GetPageReply](ctx, c, op, &pb.GetPage{Key: wire.FromKey(key), From: from, Quorum: uint32(c.state.ReadQuorum)})
	if err != nil {
		return page, 0, err
	}
	page, err = decodeValue(op, reply.Value)
	return page, reply.Next, err
}

func decodeValue(op string, encoded []byte) (lattice.Value, error) {
	v, err := lattice.Decode(encoded)
	if err != nil {
		return lattice.Value{}, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	return v, nil
}
