package cache

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandlePush merges what an owner says has changed, and answers with the keys
// that are not held any more.
func (c *Cache) HandlePush(from mesh.NodeID, m *pb.Push) (*pb.PushReply, error) {
	reply := &pb.PushReply{}
	for _, pushed := range m.Deltas {
		key, err := wire.ToStoredKey(pushed.Key)
		if err != nil {
			return nil, err
		}
		var delta lattice.Cell
		if len(pushed.Delta) > 0 {
			if delta, err = lattice.DecodeCell(pushed.Delta); err != nil {
				return nil, mesh.Errorf(mesh.Invalid, "push "+key.String(), "%w", err)
			}
		}
		if !c.push(from, m.Session, key, delta) {
			reply.Unwanted = append(reply.Unwanted, pushed.Key)
		}
	}
	c.pushed.Add(uint64(len(m.Deltas)))
	c.cells.Trim()
	return reply, nil
}

// push merges one delta; the zero Cell says that the subscription has ended.
// It reports whether the key is held, or on its way here.
func (c *Cache) push(from mesh.NodeID, session uint64, key mesh.Key, delta lattice.Cell) (wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flights[key]
	if f != nil {
		f.push(from, delta)
	}
	held := c.cells.Lock(key)
	defer held.Unlock()
	s := held.Meta()
	switch {
	case s == nil:
		return f != nil
	case s.owner == from && (delta.IsZero() || s.session != session):
		held.Remove() // the owner does not push it, or was started anew and may have missed something
		return f != nil
	case delta.IsZero():
		return true // another owner's push does not matter
	}
	if _, err := held.Mutable().Merge(delta); err != nil {
		c.Log.Info("a push does not fit what is held, which is dropped", "node", from.Short(), "key", key.String(), "err", err)
		held.Remove()
		return f != nil
	}
	return true
}

// push notes what was pushed of the key while it is on its way.
func (f *flight) push(from mesh.NodeID, delta lattice.Cell) {
	if delta.IsZero() {
		f.void(from)
		return
	}
	if _, err := f.pushed.Merge(delta); err != nil {
		f.voided = true
	}
}
