package node

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxToldHotKeys bounds the hot keys of one answer.
const maxToldHotKeys = 1024

func (r *rooms) stats(ctx context.Context, m *pb.Stats) (*pb.StatsReply, error) {
	f := r.figures(ctx)
	reply := &pb.StatsReply{
		Node: []byte(r.self), UptimeMs: uint64(time.Since(r.started).Milliseconds()), Ready: f.Ready,
		Keys: f.Store.Keys, MemoryKeys: f.Store.MemoryKeys, MemoryBytes: f.Store.MemoryBytes,
		MemoryLimit: f.Store.MemoryLimit, DiskBytes: f.Store.DiskBytes, Damaged: f.Store.Damaged,
		CacheKeys: f.Cache.Keys, CacheBytes: f.Cache.Bytes, CacheLimit: f.Cache.Limit,
		CacheHits: f.Cache.Hits, CacheMisses: f.Cache.Misses, Subscriptions: f.Cache.Subscriptions,
		PushesSent: f.Cache.PushesSent, PushesReceived: f.Cache.PushesReceived,
		Sending: f.Replication.Sending, SendingBytes: f.Replication.SendingBytes,
		Repairs: f.Replication.Repairs, Unsettled: f.Replication.Unsettled,
		Requests: r.requestCounts(), Runs: uint64(f.Runs), Invocations: uint64(f.Invocations),
		RaisedKeys: f.HotKeys.Raised, RaisedCopies: f.HotKeys.Copies,
		SentToNodes: f.Sent.ToNodes, SentToClients: f.Sent.ToClients,
		Load: r.load(f.Store), NodesWanted: r.follower.wanted(),
	}
	for _, debt := range f.Replication.Owed {
		reply.Owed = append(reply.Owed, &pb.OwedPeer{
			Node: []byte(debt.Node), Keys: debt.Keys, OldestMs: uint64(max(0, debt.Oldest.Milliseconds())),
		})
	}
	for _, hot := range f.HotKeys.Top[:min(len(f.HotKeys.Top), int(min(m.HotKeys, maxToldHotKeys)))] {
		reply.HotKeys = append(reply.HotKeys, &pb.HotKeyRate{
			Key: wire.FromKey(hot.Key), MilliReads: uint64(1000 * hot.Rate), Extra: uint32(hot.Extra),
		})
	}
	if !m.Digests {
		return reply, nil
	}
	var err error
	reply.Digests, err = r.replica.Digests(ctx)
	return reply, err
}

func (r *rooms) requestCounts() (counts []*pb.RequestCount) {
	for counted := range r.requests.All() {
		if counted.Count > 0 {
			counts = append(counts, &pb.RequestCount{Operation: counted.Operation.String(), Outcome: counted.Outcome, Count: counted.Count})
		}
	}
	return counts
}
