package sdk

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// WithSession gives a client whose Get, Put, Write, Delete, Element, Pages and
// typed handles are part of a session. Whole collections are read for one
// element then. Nothing is written behind. Lists, scans, ranges, batches,
// watches, Touch and CompareAndSet know nothing of the session.
func (c *Client) WithSession(s *Session) *Client {
	view := *c
	view.session = s
	view.state.Behind = false
	return &view
}

// getInSession reads a key as the session demands.
func (c *Client) getInSession(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	if err := c.makeRoom(ctx); err != nil {
		return lattice.Value{}, err
	}
	floor, most, err := c.session.toRead(key)
	if err != nil {
		return lattice.Value{}, err
	}
	cell, err := c.readAbove(ctx, key, floor, most)
	if err != nil {
		return lattice.Value{}, err
	}
	value, ok := cell.Value()
	if !ok {
		return lattice.Value{}, mesh.Errorf(mesh.NotFound, "get "+key.String(), "no such key")
	}
	return value, nil
}

// readAbove reads what there is of a key together with floor, from most
// owners where that is what it takes.
func (c *Client) readAbove(ctx context.Context, key mesh.Key, floor lattice.Cell, most bool) (lattice.Cell, error) {
	for {
		cell, err := c.getCell(ctx, key, most)
		if err != nil {
			return cell, err
		}
		gone := cell.IsZero() && !floor.IsZero()
		switch {
		case gone && most:
			c.session.sawGone(key)
			return cell, nil
		case !gone:
			if cell, err = joined(key, floor, cell); err != nil || c.session.sawRead(key, cell, most) {
				return cell, err
			}
		}
		most = true
	}
}

// getCell reads the cell of a key; the zero cell when it is missing.
func (c *Client) getCell(ctx context.Context, key mesh.Key, most bool) (lattice.Cell, error) {
	op := "get " + key.String()
	reply, err := do[*pb.GetReply](ctx, c, op, &pb.Get{Key: wire.FromKey(key), Quorum: uint32(c.state.ReadQuorum), Cell: true, Confirm: most})
	if err != nil {
		return lattice.Cell{}, err
	}
	cell, err := lattice.DecodeCell(reply.Cell)
	if err != nil {
		return cell, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	return cell, nil
}

// makeRoom drops the key that was used longest ago if the session has too
// many, once most owners hold what was read of it.
func (c *Client) makeRoom(ctx context.Context) error {
	key, drop := c.session.oldest()
	if !drop {
		return nil
	}
	floor, _, err := c.session.toRead(key)
	if err != nil {
		return err
	}
	cell, err := c.getCell(ctx, key, true)
	if err != nil {
		return err
	}
	if order := floor.Compare(cell); order == lattice.Greater || order == lattice.Concurrent {
		return mesh.Errorf(mesh.Unavailable, "session", "most owners do not hold yet what was seen of %s, and the session cannot carry more keys", key)
	}
	c.session.drop(key)
	return nil
}

// follow makes a put come after what the session demands, and tell what it makes.
func (s *Session) follow(key mesh.Key, m *pb.Put) error {
	after, most, err := s.toFollow(key)
	if err != nil {
		return err
	}
	m.After, m.AfterMost, m.TellBytes = encodeSeen(after), most, maxSeen
	return nil
}

// heed notes what an acknowledged write has made. What is too large to carry
// with the rest is waited for at most owners.
func (c *Client) heed(ctx context.Context, key mesh.Key, reply *pb.PutReply) error {
	var made lattice.Cell
	if told := reply.GetCell(); len(told) > 0 {
		var err error
		if made, err = lattice.DecodeCell(told); err != nil {
			return mesh.Errorf(mesh.Internal, "session", "what the write of %s made: %w", key, err)
		}
	}
	if c.session.sawWrite(key, made, false) {
		return nil
	}
	cell, err := c.getCell(ctx, key, true)
	if err != nil {
		return err
	}
	if order := made.Compare(cell); order == lattice.Greater || order == lattice.Concurrent {
		return mesh.Errorf(mesh.Unavailable, "session", "most owners do not hold the write of %s yet, and the session cannot carry it", key)
	}
	c.session.sawWrite(key, made, true)
	return nil
}
