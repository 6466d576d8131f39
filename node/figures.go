package node

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/node/metrics"
	"github.com/virga-mesh/virga/node/store"
)

// figures asks the rooms how they stand.
func (r *rooms) figures(ctx context.Context) metrics.Figures {
	return metrics.Figures{
		Ready: r.notReady() == "", Peers: len(r.dht.View()) - 1,
		Store: r.storeFigures(), Cache: r.cacheFigures(), Replication: r.replicationFigures(ctx), HotKeys: r.hotKeyFigures(), Sent: metrics.Sent(r.endpoint.Sent()),
		Load: r.loadFigures(), Nodes: r.nodeFigures(),
		Sessions: r.sessions.Open(), Runs: r.runs.UnderWay(), Invocations: r.exec.Running(), Stages: metrics.Stages(r.runs.Counts()), Work: r.workFigures(),
	}
}

func (r *rooms) loadFigures() metrics.Load {
	l := r.load(metrics.Store{})
	return metrics.Load{
		Places: part(l.Places), Processors: part(l.Processors), Latency: time.Duration(l.LatencyUs) * time.Microsecond, Waiting: l.Waiting,
	}
}

func (r *rooms) nodeFigures() metrics.Nodes {
	m := r.follower.wanted()
	return metrics.Nodes{Wanted: uint64(m.GetNodes()), HooksRun: m.GetHooksRun(), HooksFailed: m.GetHooksFailed()}
}

func (r *rooms) storeFigures() metrics.Store {
	s := r.store.Stats()
	return metrics.Store{
		Keys: uint64(max(0, s.Keys)), MemoryKeys: uint64(s.MemoryKeys),
		MemoryBytes: uint64(s.MemoryBytes), MemoryLimit: uint64(r.cfg.MemoryBytes),
		Pending: uint64(max(0, s.Pending)), WrittenBack: uint64(s.WrittenBack),
		DiskBytes: s.DiskBytes, DiskLimit: uint64(r.cfg.DiskBytes), Damaged: uint64(s.Damaged),
		Sizes: sizesOf(s.Sizes),
	}
}

func sizesOf(written store.Sizes) metrics.Sizes {
	s := metrics.Sizes{Count: written.Count, Bytes: written.Bytes, UpTo: make(map[float64]uint64, len(store.SizeBounds))}
	for i, bound := range store.SizeBounds {
		s.UpTo[float64(bound)] = written.UpTo[i]
	}
	return s
}

func (r *rooms) cacheFigures() metrics.Cache {
	s := r.cache.Stats()
	return metrics.Cache{
		Keys: uint64(s.Keys), Bytes: uint64(s.Bytes), Limit: uint64(r.cfg.CacheBytes),
		Hits: s.Hits, Misses: s.Misses, PushesReceived: s.Pushed,
		Subscriptions: uint64(r.publisher.Len()), PushesSent: r.publisher.Pushed(),
	}
}

func (r *rooms) hotKeyFigures() metrics.HotKeys {
	s := r.hot.Stats()
	f := metrics.HotKeys{Raised: uint64(s.Raised), Copies: uint64(s.Copies)}
	for _, hot := range s.Top {
		f.Top = append(f.Top, metrics.HotKey{Key: hot.Key, Rate: hot.Rate, Extra: hot.Extra})
	}
	return f
}

func (r *rooms) replicationFigures(ctx context.Context) metrics.Replication {
	lag := r.replica.Lag()
	f := metrics.Replication{
		Sending: uint64(max(0, lag.Sending)), SendingBytes: uint64(max(0, lag.SendingBytes)),
		Repairs: uint64(lag.Repaired), Pulled: uint64(lag.Pulled), Unsettled: uint64(lag.Unsettled),
		Expired: uint64(r.replica.Expirations()), Collected: uint64(r.replica.Collected()), SetAside: uint64(r.replica.SetAside()),
		OwedBytes: uint64(max(0, r.store.HintBytes())), Dropped: uint64(lag.Dropped),
	}
	if len(lag.Owed) == 0 {
		return f
	}
	keys := r.store.CountHints()
	for _, debt := range lag.Owed {
		f.Owed = append(f.Owed, metrics.Debt{Node: debt.Node, Keys: uint64(keys[debt.Node]), Oldest: time.Since(debt.Since)})
	}
	return f
}
