package run

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// What a share tells the coordinator of its run, on this node or another.

// lost tells of a node that cannot be reached.
func (s *share) lost(stage int, node mesh.NodeID) {
	if s.lead != nil {
		s.lead.nodeDown(node)
		return
	}
	m := s.result(s.spec(), stage)
	m.Lost = []byte(node)
	s.tell(m)
}

// fail tells that a stage failed, under the spec of which it began.
func (s *share) fail(stage int, under *spec, err error) {
	s.mu.Lock()
	s.exec.close(stage, under)
	s.passing++
	s.mu.Unlock()
	defer s.passed()
	if s.lead != nil {
		s.lead.stageFailed(under.attempt, stage, err)
	} else {
		m := failure(under, stage, wire.FromError(err, s.runs.cfg.Self))
		m.Past = s.runs.past(under.session) // the run may begin anew for what it has read
		s.tell(m)
	}
}

func (s *share) result(sp *spec, stage int) *pb.SinkResult {
	return &pb.SinkResult{RunId: sp.run[:], Attempt: sp.attempt, Stage: uint32(stage)}
}

func failure(s *spec, stage int, err *pb.Error) *pb.SinkResult {
	return &pb.SinkResult{RunId: s.run[:], Attempt: s.attempt, Stage: uint32(stage), Error: err}
}

// answer tells the end of a sink. A result that cannot be sent is told as an
// error: the coordinator must not wait for it.
func (s *share) answer(stage int, end ending, told reports) {
	sp := s.spec()
	if s.lead != nil {
		s.lead.sinkResult(sp.attempt, stage, end, told.all(len(sp.stages)))
		return
	}
	m := s.result(sp, stage)
	m.Skipped, m.Reports, m.Past = end.skipped, told.encoded(), s.runs.past(sp.session)
	if !end.skipped {
		m.Value = wire.FromValue(end.value)
	}
	if err := s.tell(m); err != nil && mesh.KindOf(err) != mesh.Unavailable {
		s.tell(failure(sp, stage, wire.FromError(err, s.runs.cfg.Self)))
	}
}

// tell sends to the coordinator. When that is dead nobody waits for the run.
func (s *share) tell(m *pb.SinkResult) error {
	if s.ctx.Err() != nil {
		return nil
	}
	sp := s.spec()
	err := s.runs.cfg.Peers.Send(s.ctx, sp.coordinator, m)
	if err != nil && s.ctx.Err() == nil {
		s.runs.cfg.Log.Warn("a run's coordinator was not told", "run", sp.run, "coordinator", sp.coordinator.Short(), "err", err)
	}
	if mesh.KindOf(err) == mesh.Unavailable {
		s.drop()
	}
	return err
}
