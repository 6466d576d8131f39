package node

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/dht"
)

// join finds the mesh, takes over what this node owns, and tells the mesh
// what it hosts. Then the node is ready.
func (r *rooms) join(ctx context.Context, ready func()) error {
	r.waitFor("it has not joined the mesh yet")
	select {
	case <-r.dht.Ready():
	case <-ctx.Done():
		return nil
	}
	r.waitFor("it has not reached all members yet")
	r.reachMembers(ctx)
	r.replica.Joined()
	r.waitFor("it has yet to take over what it owns from nodes that live")
	select {
	case <-r.replica.Synced():
	case <-ctx.Done():
		return nil
	}
	r.refilled()
	r.waitFor("the mesh does not know yet what it hosts")
	serve := func() {
		r.waiting.Store(nil)
		ready()
	}
	err := r.hostNatives(ctx, func() {
		if r.missesMembers() { // the first of many that come back waits for nobody
			serve()
		}
	})
	switch {
	case err == nil:
		serve()
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// How long a node that joins waits for members that it has not reached, of
// which it does not know yet whether they live; and how often it looks.
const (
	reachTimeout = time.Second
	reachLook    = 10 * time.Millisecond
)

// reachMembers gives this node the time to connect to all members. What it
// wrote before that it would write as if those were away, and who asks them
// would not find it for a moment.
func (r *rooms) reachMembers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	ticker := time.NewTicker(reachLook)
	defer ticker.Stop()
	for r.missesMembers() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// missesMembers reports whether nodes are known that do not live.
func (r *rooms) missesMembers() bool {
	return slices.ContainsFunc(r.dht.Known(), func(m dht.Member) bool { return !m.Live })
}
