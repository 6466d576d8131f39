package run

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleHop takes an input of a stage of this node from another node. It
// does not wait for the stage. The error says that the hop makes no sense;
// whatever else goes wrong is told to the run's coordinator.
func (r *Runs) HandleHop(from mesh.NodeID, m *pb.Hop) error {
	s, err := r.shareOf(m.GetRun(), m.LeftUs, int(m.Stage))
	switch {
	case err == errNoPlan:
		return r.awaitPlan(from, m, keyOf(m.Run))
	case s == nil:
		return err
	}
	if s.isLost(from) {
		return nil // its stages run elsewhere by now
	}
	sp := s.spec()
	if sp.attempt == m.Run.Attempt {
		sp.introduce(from)
	}
	ports, err := sp.portsOf(m, from)
	if err != nil || len(ports) == 0 {
		return err
	}
	in, err := inputOf(m)
	if err == nil {
		err = r.learn(sp.session, m.Past)
	}
	if err != nil {
		r.spawn(func() { s.fail(ports[0].stage, sp, err) })
		return err
	}
	ready, err := s.accept(in, m.Reports, ports...)
	if err != nil {
		r.spawn(func() { s.fail(ports[0].stage, sp, err) })
		return nil
	}
	s.spawnAll(ready)
	return nil
}

// portsOf lists the inputs that a hop brings: none from an execution that was
// given up, or from before the run began anew.
func (s *spec) portsOf(m *pb.Hop, from mesh.NodeID) ([]port, error) {
	if isBefore(m.Run.Attempt, s.attempt) {
		return nil, nil
	}
	ports := make([]port, 0, 1+len(m.Also))
	ports = append(ports, port{int(m.Stage), int(m.Input)})
	for _, at := range m.Also {
		ports = append(ports, port{int(at.Stage), int(at.Input)})
	}
	for _, p := range ports {
		if sender, ok := s.sender(p); ok && sender == from {
			continue
		}
		if m.Run.Attempt < s.attempt {
			return nil, nil
		}
		return nil, mesh.Errorf(mesh.Invalid, "hop", "input %d of stage %d of run %s from node %s: not in its plan", p.input, p.stage, s.run, from)
	}
	return ports, nil
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

func (s *share) isLost(node mesh.NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.exec.lost, node)
}

// shareOf finds the share of a run, which goes on under the spec's attempt if
// that is a later one; or makes it. Nil without an error: the attempt is over.
// errNoPlan: it is not known here.
func (r *Runs) shareOf(m *pb.RunSpec, leftMicros uint64, stage int) (*share, error) {
	if _, err := wire.ToRunID(m.GetRunId()); err != nil {
		return nil, err
	}
	key := keyOf(m)
	if key.coordinator == "" {
		return nil, mesh.Errorf(mesh.Invalid, "run", "a coordinator of 0 bytes: expected a node's id")
	}
	s, late := r.share(key, m.GetAttempt())
	if late || s != nil && s.spec().attempt >= m.Attempt {
		return s, nil
	}
	if key.coordinator == r.cfg.Self {
		return nil, nil // a run of ours that is over
	}
	if len(m.GetPlan()) == 0 {
		return nil, errNoPlan
	}
	sp, err := r.parseSpec(m)
	if err != nil {
		return nil, err
	}
	if s != nil && sp.follows(s.spec()) {
		s.amend(sp)
	} else {
		s = r.join(sp, leftMicros, stage)
	}
	r.planCame(key)
	return s, nil
}

// errNoPlan is the error of a message whose sender took the plan of the
// attempt to be known here.
var errNoPlan = mesh.Errorf(mesh.Invalid, "run", "a plan that is not known, and does not come with the message")

// keyOf gives the key of a run whose id has been checked.
func keyOf(m *pb.RunSpec) runKey {
	return runKey{mesh.RunID(m.GetRunId()), mesh.NodeID(m.GetCoordinator())}
}

// share finds the share of a run. Late: the attempt is over.
func (r *Runs) share(key runKey, attempt uint32) (s *share, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.shares[key]; s != nil && !r.closed {
		return s, false
	}
	return nil, r.closed || r.forgotten.has(key, attempt)
}

// join makes the share of a run that another node coordinates. One that the
// run had here before, and has nothing to do with the attempt, ends with it.
func (r *Runs) join(sp *spec, leftMicros uint64, stage int) *share {
	left := micros(leftMicros)
	ctx, cancel := context.WithTimeout(r.ctx, left)
	s := r.newShare(ctx, cancel, sp, false)
	current, err := r.register(s)
	if current == s {
		s.watch()
		return s
	}
	cancel()
	if err != nil {
		r.refuse(sp.key(), sp.attempt, min(stage, len(sp.stages)-1), left, err)
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

// register makes s the share of its run, unless that has one already.
func (r *Runs) register(s *share) (*share, error) {
	r.mu.Lock()
	sp := s.spec()
	key := sp.key()
	current := r.shares[key]
	switch {
	case r.closed || current == nil && r.forgotten.has(key, sp.attempt):
		r.mu.Unlock()
		return nil, nil
	case current != nil && current.spec().attempt >= sp.attempt:
		r.mu.Unlock()
		return current, nil
	case current == nil && len(r.shares) >= r.cfg.MaxRuns && s.lead == nil:
		r.mu.Unlock()
		return nil, mesh.Errorf(mesh.Overloaded, "", "%d runs have stages on the node: retry later", r.cfg.MaxRuns)
	}
	s.exec.forgot(r.forgotten.last(key)) // nobody else has the share yet
	s.retain()
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
	sp := s.spec()
	key := sp.key()
	if r.shares[key] == s {
		delete(r.shares, key)
	}
	if s.lead == nil {
		r.forgotten.add(key, sp.attempt, time.Now())
	}
}

// refuse tells a coordinator that its run was not taken on here.
func (r *Runs) refuse(key runKey, attempt uint32, stage int, left time.Duration, err error) {
	r.spawn(func() {
		ctx, cancel := context.WithTimeout(r.ctx, min(left, noticeTimeout))
		defer cancel()
		m := &pb.SinkResult{RunId: key.run[:], Attempt: attempt, Stage: uint32(stage), Error: wire.FromError(err, r.cfg.Self)}
		if err := r.cfg.Peers.Send(ctx, key.coordinator, m); err != nil {
			r.cfg.Log.Warn("a refused run's coordinator was not told", "run", key.run, "err", err)
		}
	})
}

// noticeTimeout bounds the sending of what nobody waits for.
const noticeTimeout = 5 * time.Second
