package dht

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Lookup finds the n nodes of the whole mesh closest to the key's partition, the closest
// first, by an iterative Kademlia look-up: for a mesh larger than the view.
// n is at most 32. What it found it keeps for a few seconds for all keys
// nearby. When the look-up fails it is answered from the view.
func (d *DHT) Lookup(ctx context.Context, key mesh.Key, n int) ([]mesh.NodeID, error) {
	if n < 1 || n > bucketSize {
		return nil, mesh.Errorf(mesh.Invalid, "lookup", "%d nodes asked for: expected 1 to %d", n, bucketSize)
	}
	id := key.Partition().ID()
	if nodes, ok := d.lookups.get(id, n, time.Now()); ok {
		return nodes, nil
	}
	found, err := d.find(ctx, key.Path())
	if err != nil {
		if ctx.Err() != nil {
			return nil, mesh.AsError("lookup", ctx.Err())
		}
		return slices.Clone(d.Owners(key, n)), nil
	}
	closest, whole := d.withView(id, found)
	d.lookups.put(id, closest, whole, time.Now())
	return closest[:min(n, len(closest))], nil
}

// find asks the Kademlia DHT. While there is nobody else it finds nobody.
func (d *DHT) find(ctx context.Context, key string) ([]mesh.NodeID, error) {
	k := d.kademlia.Load()
	if k == nil {
		return nil, mesh.Errorf(mesh.Unavailable, "lookup", "the DHT does not run")
	}
	return k.closest(ctx, key)
}

// withView adds the view to what a look-up found, and orders it. A look-up
// knows all nodes up to the farthest that it found, or just all nodes when
// it found fewer than it could have. Nodes that drain are left out.
func (d *DHT) withView(id mesh.ID, found []mesh.NodeID) (closest []mesh.NodeID, whole bool) {
	whole = len(found) < bucketSize
	v := d.current.Load()
	found = slices.DeleteFunc(found, v.drains)
	for _, node := range v.owners.set.nodes {
		if !slices.Contains(found, node) {
			found = append(found, node)
		}
	}
	sortByDistance(found, id)
	if !whole {
		found = found[:min(bucketSize, len(found))]
	}
	return found, whole
}

// FindPeer gives the addresses of a node: what the view or an earlier
// connection says, or else what the mesh tells. NotFound when nobody knows.
func (d *DHT) FindPeer(ctx context.Context, id mesh.NodeID) ([]string, error) {
	var addrs []string
	d.update(func(time.Time) {
		if n := d.roster.nodes[id]; n != nil {
			addrs = n.addrs
		}
	})
	if len(addrs) > 0 {
		return addrs, nil
	}
	if _, err := d.find(ctx, string(id)); err != nil && ctx.Err() != nil {
		return nil, mesh.AsError("find "+id.Short(), ctx.Err())
	}
	if k := d.kademlia.Load(); k != nil {
		addrs = k.addrs(id)
	}
	if len(addrs) == 0 {
		return nil, mesh.Errorf(mesh.NotFound, "find "+id.Short(), "no node of the mesh knows where it is")
	}
	return addrs, nil
}

// discoverEvery is how often the Kademlia DHT is asked for nodes that the
// view lacks: near this one, and anywhere.
const discoverEvery = time.Minute

func (d *DHT) discoverLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(discoverEvery/2 + rand.N(discoverEvery)):
		}
		anywhere := mesh.Key{Namespace: mesh.SystemNamespace, Name: strconv.FormatUint(rand.Uint64(), 36)}
		for _, key := range []string{string(d.self), anywhere.Path()} {
			d.discover(ctx, key)
		}
	}
}

// discover learns the nodes around a key.
func (d *DHT) discover(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nodes, err := d.find(ctx, key)
	if err != nil {
		return
	}
	k := d.kademlia.Load()
	d.update(func(now time.Time) {
		for _, id := range nodes {
			d.roster.learn(id, k.addrs(id), bySearch, now, now)
		}
	})
}
