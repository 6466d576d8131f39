package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// What an executor does when its run has lost a node: it tells how its stages
// stand, and goes on under another plan.

// HandleSurveyRun tells how the stages of a run stand that the sender
// coordinates, and takes nothing any more from the nodes that it lost.
func (r *Runs) HandleSurveyRun(from mesh.NodeID, m *pb.SurveyRun) (*pb.SurveyRunReply, error) {
	id, err := wire.ToRunID(m.GetRunId())
	if err != nil {
		return nil, err
	}
	s, forgotten := r.find(runKey{id, from})
	if s == nil || isBefore(s.spec().attempt, m.Attempt) {
		return &pb.SurveyRunReply{Forgotten: forgotten}, nil
	}
	standings, all := s.survey(nodesOf(m.Lost))
	reply := &pb.SurveyRunReply{Reports: all.encoded(), Past: r.past(s.spec().session)}
	for stage, st := range standings {
		reply.Stages = append(reply.Stages, &pb.StageStanding{Stage: uint32(stage), Inputs: bitsOf(st.has), Done: st.done, Kept: st.kept})
	}
	return reply, nil
}

// find gives the share of a run, and the last attempt that is forgotten here.
func (r *Runs) find(key runKey) (s *share, forgotten uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shares[key], r.forgotten.last(key)
}

func (s *share) survey(lost []mesh.NodeID) (map[int]standing, reports) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exec.lose(lost)
	return s.exec.stand(), joinedReports(append(s.exec.told, s.exec.unsent))
}

// parseSurvey reads how stages stand of those that a spec puts on a node, and
// leaves out what cannot be.
func parseSurvey(m *pb.SurveyRunReply, sp *spec, node mesh.NodeID) map[int]standing {
	standings := map[int]standing{}
	for _, st := range m.Stages {
		if uint64(st.Stage) >= uint64(len(sp.stages)) || sp.places[st.Stage].Node != node {
			continue
		}
		has := make([]bool, len(sp.stages[st.Stage].parents)+1)
		for n := range has {
			has[n] = n/8 < len(st.Inputs) && st.Inputs[n/8]&(1<<(n%8)) != 0
		}
		standings[int(st.Stage)] = standing{has: has, done: st.Done, kept: st.Kept}
	}
	return standings
}

func bitsOf(list []bool) []byte {
	bits := make([]byte, (len(list)+7)/8)
	for n, set := range list {
		if set {
			bits[n/8] |= 1 << (n % 8)
		}
	}
	return bits
}

func nodesOf(ids [][]byte) []mesh.NodeID {
	nodes := make([]mesh.NodeID, len(ids))
	for i, id := range ids {
		nodes[i] = mesh.NodeID(id)
	}
	return nodes
}

func bytesOf(nodes []mesh.NodeID) [][]byte {
	ids := make([][]byte, len(nodes))
	for i, node := range nodes {
		ids[i] = []byte(node)
	}
	return ids
}

// HandleAmendRun takes the plan of a later attempt from a run's coordinator.
// It may be the first that a node hears of the run: hops of an earlier
// attempt that are still under way are then taken under this one.
func (r *Runs) HandleAmendRun(from mesh.NodeID, m *pb.AmendRun) error {
	if _, err := wire.ToRunID(m.GetRun().GetRunId()); err != nil {
		return err
	}
	if coordinator := mesh.NodeID(m.Run.Coordinator); coordinator != from {
		return mesh.Errorf(mesh.Invalid, "amend run", "from node %s: expected the run's coordinator %s", from, coordinator)
	}
	s, err := r.shareOf(m.Run, m.LeftUs, 0)
	if s == nil {
		return err
	}
	if err := r.learn(s.spec().session, m.Past); err != nil {
		return err
	}
	reported := make([]bool, len(s.spec().stages))
	for _, stage := range m.Reported {
		if uint64(stage) < uint64(len(reported)) {
			reported[stage] = true
		}
	}
	r.spawn(func() { s.answerAgain(reported) })
	return nil
}

// amend goes on under a later attempt.
func (s *share) amend(next *spec) {
	s.mu.Lock()
	if s.dropped || next.attempt <= s.exec.spec.attempt {
		s.mu.Unlock()
		return
	}
	out := s.exec.amend(next)
	s.plan.Store(next)
	var told reports
	if len(out.send) > 0 {
		told = s.exec.takeReports()
	}
	err := s.charge()
	s.mu.Unlock()
	if err != nil {
		s.runs.spawn(func() { s.fail(0, next, err) })
		return
	}
	s.spawnAll(out.invoke)
	if len(out.send) > 0 {
		s.runs.spawn(func() { s.deliver(out.send, told) })
	}
}

// answerAgain tells the coordinator the ends of sinks that it has not heard of.
func (s *share) answerAgain(reported []bool) {
	s.mu.Lock()
	sp := s.exec.spec
	sinks := s.exec.unreported(reported)
	ends := make([]ending, len(sinks))
	for i, sink := range sinks {
		ends[i] = ending{skipped: s.exec.stages[sink].skipped, value: s.exec.stages[sink].result}
	}
	s.mu.Unlock()
	for i, sink := range sinks {
		if sp.places[sink].Node == s.exec.self {
			s.answer(sink, ends[i], reports{})
		}
	}
}

// spawnAll runs tasks that became ready just now.
func (s *share) spawnAll(ready []task) {
	if len(ready) == 0 {
		return
	}
	now := time.Now()
	for _, t := range ready {
		s.spawn(t, now)
	}
}
