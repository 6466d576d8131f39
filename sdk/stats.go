package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// NodeStats is how a node stands, and what it has done since it was started.
type NodeStats struct {
	ID        mesh.NodeID
	Published time.Time // when the node said so, by its clock; zero: it was asked itself
	Uptime    time.Duration
	Ready     bool

	Keys        uint64 // of which it holds a copy as an owner
	MemoryKeys  uint64 // of them in the memory tier
	MemoryBytes uint64
	MemoryLimit uint64 // in bytes
	DiskBytes   uint64
	Damaged     uint64 // times that a damaged record was met

	CacheKeys, CacheBytes, CacheLimit uint64
	CacheHits, CacheMisses            uint64
	Subscriptions                     uint64 // of other nodes' caches to its keys
	PushesSent, PushesReceived        uint64

	Sending, SendingBytes uint64 // deltas on their way to other owners
	Owed                  []OwedPeer
	Repairs               uint64 // copies of keys brought up to date beside writes
	Unsettled             uint64 // partitions that it has yet to compare or fetch

	SentToNodes, SentToClients uint64 // bytes of frames, without what QUIC adds

	Requests          []RequestCount
	Runs, Invocations uint64 // under way

	RaisedKeys, RaisedCopies uint64 // keys with extra readers in the mesh; of them read at this node
	HotKeys                  []HotKey

	Load  NodeLoad
	Nodes NodesWanted
}

// OwedPeer is a node that has not acknowledged all that another sent it.
type OwedPeer struct {
	Node   mesh.NodeID
	Keys   uint64
	Oldest time.Duration // since when
}

// RequestCount is how many requests for one operation ended in one way.
type RequestCount struct {
	Operation string // get, put, delete or list
	Outcome   string // "ok", or the kind of the error
	Count     uint64
}

// HotKey is a key that is read more than others.
type HotKey struct {
	Key   mesh.Key
	Rate  float64 // reads per second that the node serves
	Extra int     // readers of it beside its owners
}

// Stats asks the node that the client is connected to how it stands, and for
// up to so many of its hottest keys. It takes the right to administer.
func (c *Client) Stats(ctx context.Context, hotKeys int) (NodeStats, error) {
	return c.stats(ctx, &pb.Stats{HotKeys: uint32(max(0, hotKeys))})
}

// PublishedStats tells how another node stood when it last said so: nodes
// publish their figures as state every some seconds, which is kept for an hour. It is
// NotFound where there is nothing of that node. It takes the right to administer.
func (c *Client) PublishedStats(ctx context.Context, node mesh.NodeID) (NodeStats, error) {
	return c.stats(ctx, &pb.Stats{Node: []byte(node)})
}

func (c *Client) stats(ctx context.Context, req *pb.Stats) (NodeStats, error) {
	m, err := do[*pb.StatsReply](ctx, c, "stats", req)
	if err != nil {
		return NodeStats{}, err
	}
	s := NodeStats{
		ID: mesh.NodeID(m.Node), Uptime: time.Duration(m.UptimeMs) * time.Millisecond, Ready: m.Ready,
		Keys: m.Keys, MemoryKeys: m.MemoryKeys, MemoryBytes: m.MemoryBytes, MemoryLimit: m.MemoryLimit,
		DiskBytes: m.DiskBytes, Damaged: m.Damaged,
		CacheKeys: m.CacheKeys, CacheBytes: m.CacheBytes, CacheLimit: m.CacheLimit,
		CacheHits: m.CacheHits, CacheMisses: m.CacheMisses,
		Subscriptions: m.Subscriptions, PushesSent: m.PushesSent, PushesReceived: m.PushesReceived,
		Sending: m.Sending, SendingBytes: m.SendingBytes, Repairs: m.Repairs, Unsettled: m.Unsettled,
		SentToNodes: m.SentToNodes, SentToClients: m.SentToClients,
		Runs: m.Runs, Invocations: m.Invocations, RaisedKeys: m.RaisedKeys, RaisedCopies: m.RaisedCopies,
		Load: toNodeLoad(m.Load), Nodes: toNodesWanted(m.NodesWanted),
	}
	if m.PublishedUnixMs > 0 {
		s.Published = time.UnixMilli(m.PublishedUnixMs)
	}
	for _, owed := range m.Owed {
		s.Owed = append(s.Owed, OwedPeer{mesh.NodeID(owed.Node), owed.Keys, time.Duration(owed.OldestMs) * time.Millisecond})
	}
	for _, r := range m.Requests {
		s.Requests = append(s.Requests, RequestCount{r.Operation, r.Outcome, r.Count})
	}
	for _, hot := range m.HotKeys {
		key := mesh.Key{Namespace: hot.GetKey().GetNamespace(), Name: hot.GetKey().GetName()}
		s.HotKeys = append(s.HotKeys, HotKey{key, float64(hot.MilliReads) / 1000, int(hot.Extra)})
	}
	return s, nil
}
