package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleHop takes an input of a stage of this node from another node. It
// does not wait for the stage. The error says that the hop makes no sense;
// whatever else goes wrong is told to the run's coordinator.
func (r *Runs) HandleHop(from mesh.NodeID, m *pb.Hop) error {
	s, err := r.shareOf(m)
	if s == nil {
		return err
	}
	p := port{int(m.Stage), int(m.Input)}
	if sender, ok := s.spec.sender(p); !ok || sender != from {
		return mesh.Errorf(mesh.Invalid, "hop", "input %d of stage %d of run %s from node %s: not in its plan", m.Input, m.Stage, s.spec.run, from)
	}
	args, err := parseArgs(m.Args)
	if err != nil {
		r.spawn(func() { s.fail(p.stage, err) })
		return err
	}
	ready, err := s.accept(p, args, parseReports(m.Reports, len(s.spec.stages)))
	switch {
	case err != nil:
		r.spawn(func() { s.fail(p.stage, err) })
	case ready:
		s.spawn(p.stage)
	}
	return nil
}

// sender gives the node that sends an input, by the plan.
func (s *spec) sender(p port) (mesh.NodeID, bool) {
	if p.stage < 0 || p.stage >= len(s.stages) || p.input < 0 || p.input > len(s.stages[p.stage].parents) {
		return "", false
	}
	if p.input == 0 {
		return s.coordinator, true
	}
	return s.places[s.stages[p.stage].parents[p.input-1]].Node, true
}

// shareOf finds the share of a hop's attempt, or makes it for the first hop.
// Nil without an error: the attempt is over.
func (r *Runs) shareOf(m *pb.Hop) (*share, error) {
	id, err := wire.ToRunID(m.GetRun().GetRunId())
	if err != nil {
		return nil, err
	}
	key := runKey{id, mesh.NodeID(m.GetRun().GetCoordinator())}
	if s, late := r.share(key, m.GetRun().GetAttempt()); s != nil || late {
		return s, nil
	}
	spec, err := parseSpec(m.Run)
	if err != nil {
		return nil, err
	}
	if spec.coordinator == r.cfg.Self {
		return nil, nil // a run of ours that is over
	}
	return r.join(spec, m), nil
}

// share finds the share of an attempt. Late: the attempt is over.
func (r *Runs) share(key runKey, attempt uint32) (s *share, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.forgotten.has(key, attempt) {
		return nil, true
	}
	s = r.shares[key]
	switch {
	case s == nil || s.spec.attempt < attempt:
		return nil, false
	case s.spec.attempt > attempt:
		return nil, true
	}
	return s, false
}

// join makes the share of an attempt that another node coordinates. An
// earlier attempt of the run ends with it.
func (r *Runs) join(sp *spec, m *pb.Hop) *share {
	left := time.Duration(min(m.LeftUs, uint64(MaxTimeout/time.Microsecond))) * time.Microsecond
	ctx, cancel := context.WithTimeout(r.ctx, left)
	s := r.newShare(ctx, cancel, sp)
	current, err := r.register(s)
	if current == s {
		s.watch()
		return s
	}
	cancel()
	if err != nil {
		r.refuse(sp, int(m.Stage), left, err)
	}
	return current
}

// watch drops the share at the run's deadline.
func (s *share) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop, cancel := context.AfterFunc(s.ctx, s.drop), s.cancel
	s.cancel = func() { stop(); cancel() }
}

// register makes s the share of its run, unless the attempt has one already.
func (r *Runs) register(s *share) (*share, error) {
	r.mu.Lock()
	key := s.spec.key()
	current := r.shares[key]
	switch {
	case r.closed || r.forgotten.has(key, s.spec.attempt):
		r.mu.Unlock()
		return nil, nil
	case current != nil && current.spec.attempt >= s.spec.attempt:
		r.mu.Unlock()
		if current.spec.attempt > s.spec.attempt {
			return nil, nil
		}
		return current, nil
	case current == nil && len(r.shares) >= r.cfg.MaxRuns && s.lead == nil:
		r.mu.Unlock()
		return nil, mesh.Errorf(mesh.Overloaded, "", "%d runs have stages on the node: retry later", r.cfg.MaxRuns)
	}
	r.shares[key] = s
	r.mu.Unlock()
	if current != nil {
		current.drop()
	}
	return s, nil
}

// forget takes a share out of the books. What comes late for it starts nothing.
func (r *Runs) forget(s *share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := s.spec.key()
	if r.shares[key] == s {
		delete(r.shares, key)
	}
	if s.lead == nil {
		r.forgotten.add(key, s.spec.attempt, time.Now())
	}
}

// refuse tells a coordinator that its run was not taken on here.
func (r *Runs) refuse(sp *spec, stage int, left time.Duration, err error) {
	r.spawn(func() {
		ctx, cancel := context.WithTimeout(r.ctx, min(left, noticeTimeout))
		defer cancel()
		stage = min(stage, len(sp.stages)-1)
		if err := r.cfg.Peers.Send(ctx, sp.coordinator, failure(sp, stage, wire.FromError(err, r.cfg.Self))); err != nil {
			r.cfg.Log.Warn("a refused run's coordinator was not told", "run", sp.run, "err", err)
		}
	})
}

// noticeTimeout bounds the sending of what nobody waits for.
const noticeTimeout = 5 * time.Second

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
	if s != nil && s.spec.attempt <= m.Attempt {
		s.drop()
	}
	return nil
}
