package cache

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// flight is a key on its way here. All who want it wait for the one flight.
// Its fields are guarded by the cache's mu until landed is closed, and do not
// change afterwards.
type flight struct {
	landed chan struct{}
	cell   lattice.Cell
	found  bool
	err    error

	owner  mesh.NodeID  // who is being asked
	voided bool         // the owner cannot be relied on to push what changed since it was asked
	pushed lattice.Cell // what was pushed of the key meanwhile
}

// void says that a node does not push any more.
func (f *flight) void(node mesh.NodeID) {
	if f.owner == node {
		f.voided = true
	}
}

// Fetch reads a key from its owners, given with the closest first, subscribes
// to it and keeps it. Callers that want one key at the same time share the
// requests. found is false if most owners say that there is none; it is
// mesh.Unavailable if too few answer to tell. A deleted cell is found.
func (c *Cache) Fetch(ctx context.Context, key mesh.Key, owners []mesh.NodeID) (cell lattice.Cell, found bool, err error) {
	f := c.fly(key, owners)
	select {
	case <-f.landed:
		return f.cell, f.found, f.err
	case <-ctx.Done():
		return lattice.Cell{}, false, mesh.AsError("fetch "+key.String(), ctx.Err())
	}
}

// fly starts a flight, unless one is under way.
func (c *Cache) fly(key mesh.Key, owners []mesh.NodeID) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil {
		return f
	}
	f := &flight{landed: make(chan struct{})}
	c.flights[key] = f
	if !c.tasks.start(func(ctx context.Context) { c.run(ctx, f, key, owners) }) {
		f.err = mesh.Errorf(mesh.Unavailable, "fetch "+key.String(), "this node is stopping")
		c.land(f, key)
	}
	return f
}

// land ends a flight. c.mu is held.
func (c *Cache) land(f *flight, key mesh.Key) {
	delete(c.flights, key)
	close(f.landed)
}

// run asks owner after owner: at last those, patiently, of whom nothing was heard.
func (c *Cache) run(ctx context.Context, f *flight, key mesh.Key, owners []mesh.NodeID) {
	missing := 0
	var last error
	var silent []mesh.NodeID
	for at := 0; at < len(owners)+len(silent); at++ {
		patient := at >= len(owners)
		owner := slices.Concat(owners, silent)[at]
		asked := time.Now()
		reply, isSilent, err := c.ask(ctx, f, key, owner, patient)
		switch {
		case isSilent && !patient:
			silent = append(silent, owner)
		case err != nil:
			last = err
		case len(reply.Cell) == 0:
			missing++
		default:
			if last = c.arrive(f, key, owner, asked, reply); last == nil {
				c.cells.Trim()
				return
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if 2*missing <= len(owners) {
		f.err = mesh.Errorf(mesh.Unavailable, "fetch "+key.String(), "%d of %d owners know nothing of the key, and the others did not answer: %v", missing, len(owners), last)
	} else {
		c.forget(key)
	}
	c.land(f, key)
}

func (c *Cache) ask(ctx context.Context, f *flight, key mesh.Key, owner mesh.NodeID, patient bool) (reply *pb.FetchReply, silent bool, err error) {
	c.mu.Lock()
	f.owner, f.voided, f.pushed = owner, false, lattice.Cell{}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.AttemptTimeout)
	defer cancel()
	var m wire.Message
	req := &pb.Fetch{Key: wire.FromKey(key), Subscribe: true}
	if patient {
		m, err = c.Peers.Call(ctx, owner, req)
	} else {
		m, silent, err = c.Peers.CallUnlessSilent(ctx, owner, req)
	}
	if err != nil {
		return nil, silent, err
	}
	reply, ok := m.(*pb.FetchReply)
	if !ok {
		return nil, false, mesh.Errorf(mesh.Internal, "fetch", "node %s answered with %T", owner.Short(), m)
	}
	return reply, false, nil
}

// arrive ends a flight with what an owner holds, and keeps it if the owner
// will push what changes. The lease counts from before the owner was asked,
// so that it ends here before it ends there.
func (c *Cache) arrive(f *flight, key mesh.Key, owner mesh.NodeID, asked time.Time, reply *pb.FetchReply) error {
	cell, err := lattice.DecodeCell(reply.Cell)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.pushed.IsZero() {
		if _, err := cell.Merge(f.pushed); err != nil {
			return err
		}
	}
	lease := time.Duration(reply.LeaseMs) * time.Millisecond
	if !f.voided && lease > 0 {
		c.keep(key, &cell, subscription{owner: owner, session: reply.Session, renew: asked.Add(lease / 2), end: asked.Add(lease)})
	}
	f.cell, f.found = cell, true
	c.land(f, key)
	return nil
}

// keep puts a cell that others read, too, in the place of what there was,
// and merges that into it: another owner may have been ahead.
func (c *Cache) keep(key mesh.Key, cell *lattice.Cell, s subscription) {
	held := c.cells.Lock(key)
	defer held.Unlock()
	if before := held.Cell(); before != nil {
		if _, err := cell.Merge(*before); err != nil {
			c.Log.Info("what was held does not fit what its owner holds", "node", s.owner.Short(), "key", key.String(), "err", err)
		}
	}
	held.Insert(*cell, s)
	held.Share()
}

func (c *Cache) forget(key mesh.Key) {
	held := c.cells.Lock(key)
	held.Remove()
	held.Unlock()
}
