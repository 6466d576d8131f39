package run

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// endsWithin is how long the end of a run that succeeded waits for others, so
// that one message tells a node of all.
const endsWithin = 5 * time.Millisecond

// ends gathers the ends of runs that succeeded, for the nodes that keep
// results of theirs.
type ends struct {
	mu      sync.Mutex
	pending map[mesh.NodeID]*pb.EndRuns
}

// endSoon tells a node, within endsWithin, that a run is over.
func (r *Runs) endSoon(node mesh.NodeID, sp *spec) {
	r.ends.mu.Lock()
	defer r.ends.mu.Unlock()
	if r.ends.pending == nil {
		if !r.spawn(r.tellEnds) {
			return
		}
		r.ends.pending = map[mesh.NodeID]*pb.EndRuns{}
	}
	m := r.ends.pending[node]
	if m == nil {
		m = &pb.EndRuns{}
		r.ends.pending[node] = m
	}
	m.Runs = append(m.Runs, &pb.EndRun{RunId: sp.run[:], Attempt: sp.attempt})
}

// tellEnds sends what has gathered within endsWithin.
func (r *Runs) tellEnds() {
	timer := time.NewTimer(endsWithin)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
	r.ends.mu.Lock()
	pending := r.ends.pending
	r.ends.pending = nil
	r.ends.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, noticeTimeout)
	defer cancel()
	for node, m := range pending {
		r.notice(ctx, node, m)
	}
}

// notice tells a node what nobody waits for.
func (r *Runs) notice(ctx context.Context, node mesh.NodeID, m wire.Message) {
	if err := r.cfg.Peers.Send(ctx, node, m); err != nil {
		r.cfg.Log.Debug("a node was not told that runs ended", "node", node.Short(), "err", err)
	}
}

// endNow stops an attempt of a run on the nodes given.
func (r *Runs) endNow(nodes []mesh.NodeID, sp *spec) {
	ctx, cancel := context.WithTimeout(r.ctx, noticeTimeout)
	defer cancel()
	for _, node := range nodes {
		r.notice(ctx, node, &pb.EndRun{RunId: sp.run[:], Attempt: sp.attempt})
	}
}

// HandleEndRun forgets the attempts of a run that its coordinator says are over.
func (r *Runs) HandleEndRun(from mesh.NodeID, m *pb.EndRun) error {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return err
	}
	key := runKey{id, from}
	r.mu.Lock()
	s := r.shares[key]
	r.forgotten.add(key, m.Attempt, time.Now())
	r.mu.Unlock()
	if s != nil && s.spec().attempt <= m.Attempt {
		s.drop()
	}
	r.takeEarly(key, m.Attempt)
	return nil
}

// HandleEndRuns is HandleEndRun for several runs.
func (r *Runs) HandleEndRuns(from mesh.NodeID, m *pb.EndRuns) error {
	for _, end := range m.Runs {
		if err := r.HandleEndRun(from, end); err != nil {
			return err
		}
	}
	return nil
}
