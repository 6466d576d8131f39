package run

import (
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// A node sends another one the plan of an attempt once, with its first hop to
// it. A hop without the plan that overtakes that one waits here.

// Bounds of what waits for its plan. The hop that has the plan cannot be late
// by more than its sender's patience.
const (
	earlyHops = 4096 // of all runs
	earlyFor  = 10 * time.Second
)

// early holds hops that came before the plan of their attempt.
type early struct {
	hops map[runKey][]earlyHop
	held int
}

type earlyHop struct {
	from   mesh.NodeID
	m      *pb.Hop
	bytes  int64
	expiry *time.Timer
}

func (e *early) add(key runKey, hop earlyHop) {
	e.hops[key] = append(e.hops[key], hop)
	e.held++
}

// take gives the hops of a run up to an attempt, which wait no longer.
func (e *early) take(key runKey, attempt uint32) (taken []earlyHop) {
	var left []earlyHop
	for _, hop := range e.hops[key] {
		if hop.m.Run.Attempt <= attempt {
			taken = append(taken, hop)
		} else {
			left = append(left, hop)
		}
	}
	e.leave(key, left)
	return taken
}

// leave has these hops of a run wait, and no others.
func (e *early) leave(key runKey, hops []earlyHop) {
	if e.held += len(hops) - len(e.hops[key]); len(hops) == 0 {
		delete(e.hops, key)
	} else {
		e.hops[keyOf(hops[0].m.Run)] = hops // not key, which is on the stack of who asks
	}
}

// remove takes one hop out. It reports whether that had still waited.
func (e *early) remove(key runKey, m *pb.Hop) bool {
	i := slices.IndexFunc(e.hops[key], func(hop earlyHop) bool { return hop.m == m })
	if i < 0 {
		return false
	}
	e.leave(key, slices.Concat(e.hops[key][:i], e.hops[key][i+1:]))
	return true
}

// awaitPlan has a hop wait for the plan of its attempt, unless that has come
// meanwhile, or the attempt is over.
func (r *Runs) awaitPlan(from mesh.NodeID, m *pb.Hop, key runKey) error {
	bytes := int64(proto.Size(m))
	if err := r.charge(bytes); err != nil {
		r.refuseHop(key, m, err)
		return nil
	}
	r.mu.Lock()
	s, full := r.shares[key], r.early.held >= earlyHops
	came := s != nil && s.spec().attempt >= m.Run.Attempt
	waits := !came && !full && !r.closed && !r.forgotten.has(key, m.Run.Attempt)
	if waits {
		expiry := time.AfterFunc(min(micros(m.LeftUs), earlyFor), func() { r.giveUpEarly(key, m, bytes) })
		r.early.add(key, earlyHop{from, m, bytes, expiry})
	}
	r.mu.Unlock()
	if waits {
		return nil
	}
	r.charge(-bytes)
	switch {
	case came:
		return r.HandleHop(from, m)
	case full:
		r.refuseHop(key, m, mesh.Errorf(mesh.Overloaded, "", "%d hops wait for the plans of their runs: retry later", earlyHops))
	}
	return nil
}

// giveUpEarly fails the run of a hop whose plan did not come.
func (r *Runs) giveUpEarly(key runKey, m *pb.Hop, bytes int64) {
	r.mu.Lock()
	waited := r.early.remove(key, m)
	r.mu.Unlock()
	if waited {
		r.charge(-bytes)
		r.refuseHop(key, m, mesh.Errorf(mesh.Unavailable, "", "the plan of the run did not come"))
	}
}

func (r *Runs) refuseHop(key runKey, m *pb.Hop, err error) {
	r.refuse(key, m.Run.Attempt, int(m.Stage), micros(m.LeftUs), err)
}

// planCame takes the hops that have waited for the plan of a run.
func (r *Runs) planCame(key runKey) {
	for _, hop := range r.takeEarly(key, math.MaxUint32) {
		if err := r.HandleHop(hop.from, hop.m); err != nil {
			r.cfg.Log.Warn("a hop that came before its plan was not taken", "peer", hop.from.Short(), "err", err)
		}
	}
}

// takeEarly gives the hops of a run, up to an attempt, that have waited for its plan.
func (r *Runs) takeEarly(key runKey, attempt uint32) []earlyHop {
	r.mu.Lock()
	hops := r.early.take(key, attempt)
	r.mu.Unlock()
	for _, hop := range hops {
		hop.expiry.Stop()
		r.charge(-hop.bytes)
	}
	return hops
}
