package run

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// share is this node's part of one attempt: the execution, and what moves
// its inputs and results. It ends when its stages have finished, the
// coordinator says so or is seen dead, a later attempt begins, or at the
// run's deadline.
type share struct {
	runs   *Runs
	spec   *spec
	lead   *coordination // where this node coordinates the run, else nil
	ctx    context.Context
	cancel context.CancelFunc
	alone  bool // no other node takes part

	mu      sync.Mutex
	exec    execution
	charged int64
	dropped bool
}

func (r *Runs) newShare(ctx context.Context, cancel context.CancelFunc, s *spec) *share {
	return &share{runs: r, spec: s, ctx: ctx, cancel: cancel, exec: newExecution(r.cfg.Self, s)}
}

// accept takes an input, and reports whether the stage can start with it.
func (s *share) accept(p port, args []Arg, reports []report) (ready bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return false, nil
	}
	fresh, ready := s.exec.arrive(p, args)
	if fresh {
		s.exec.unsent = append(s.exec.unsent, reports...)
	}
	return ready, s.charge()
}

// charge counts what the execution holds. With the lock held.
func (s *share) charge() error {
	err := s.runs.charge(s.exec.held - s.charged)
	if err == nil {
		s.charged = s.exec.held
	}
	return err
}

// drive runs a stage that is ready, and then the stages of this node that
// become ready by it: one after the other here, the others in goroutines of
// their own. A chain neither grows the stack nor changes goroutines.
func (s *share) drive(stage int) {
	for more := true; more; {
		stage, more = s.step(stage)
	}
}

func (s *share) step(stage int) (next int, more bool) {
	args, ok := s.start(stage)
	if !ok {
		return 0, false
	}
	v, done, err := s.runs.invoke(s.ctx, s.spec, stage, args)
	if err != nil {
		s.fail(stage, err)
		return 0, false
	}
	out, reports, err := s.finish(stage, v, done)
	if err != nil {
		s.fail(stage, err)
		return 0, false
	}
	s.pass(stage, v, out, reports)
	if len(out.invoke) == 0 {
		return 0, false
	}
	return out.invoke[0], true
}

func (s *share) start(stage int) ([]Arg, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return nil, false
	}
	args := s.exec.start(stage)
	return args, s.charge() == nil
}

func (s *share) finish(stage int, v mesh.Value, done report) (out outputs, reports []report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return outputs{}, nil, nil
	}
	out = s.exec.finish(stage, v, done)
	if out.sink || len(out.send) > 0 {
		reports = s.exec.takeReports()
	}
	return out, reports, s.charge()
}

// pass hands on a result. The reports go with the first message.
func (s *share) pass(stage int, v mesh.Value, out outputs, reports []report) {
	for i := 1; i < len(out.invoke); i++ {
		s.spawn(out.invoke[i])
	}
	for _, d := range out.send {
		s.hop(d, stage, []Arg{{Value: v}}, reports)
		reports = nil
	}
	if out.sink {
		s.answer(stage, v, reports)
	}
	s.dropIfDone()
}

func (s *share) spawn(stage int) {
	s.runs.spawn(func() { s.drive(stage) })
}

// hop sends an input to a stage of another node. From is the stage whose
// result it is, or the stage itself for the call's own arguments.
func (s *share) hop(to delivery, from int, args []Arg, reports []report) {
	m := &pb.Hop{
		Run: s.spec.message(), Stage: uint32(to.stage), Input: uint32(to.input),
		Args: argMessages(args), Reports: reportMessages(reports), LeftUs: timeLeft(s.ctx),
	}
	err := s.runs.cfg.Peers.Send(s.ctx, to.node, m)
	switch {
	case err == nil:
	case mesh.KindOf(err) == mesh.Unavailable:
		s.lost(from, to.node)
	default:
		s.fail(from, err)
	}
}

// timeLeft is how long a run has from now, in µs, at least one.
func timeLeft(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return uint64(MaxTimeout / time.Microsecond)
	}
	return uint64(max(time.Until(deadline)/time.Microsecond, 1))
}

// lost tells the coordinator of a node that cannot be reached.
func (s *share) lost(stage int, node mesh.NodeID) {
	if s.lead != nil {
		s.lead.nodeDown(node)
		return
	}
	s.tell(&pb.SinkResult{RunId: s.spec.run[:], Attempt: s.spec.attempt, Stage: uint32(stage), Lost: []byte(node)})
}

// fail tells the coordinator that a stage failed.
func (s *share) fail(stage int, err error) {
	s.mu.Lock()
	s.exec.close(stage)
	s.mu.Unlock()
	if s.lead != nil {
		s.lead.stageFailed(s.spec.attempt, stage, err)
	} else {
		s.tell(failure(s.spec, stage, wire.FromError(err, s.runs.cfg.Self)))
	}
	s.dropIfDone()
}

func failure(s *spec, stage int, err *pb.Error) *pb.SinkResult {
	return &pb.SinkResult{RunId: s.run[:], Attempt: s.attempt, Stage: uint32(stage), Error: err}
}

// answer tells the coordinator the result of a sink. A result that cannot be
// sent is told as an error: the coordinator must not wait for it.
func (s *share) answer(stage int, v mesh.Value, reports []report) {
	if s.lead != nil {
		s.lead.sinkResult(s.spec.attempt, stage, v, reports)
		return
	}
	err := s.tell(&pb.SinkResult{
		RunId: s.spec.run[:], Attempt: s.spec.attempt, Stage: uint32(stage),
		Value: wire.FromValue(v), Reports: reportMessages(reports),
	})
	if err != nil && mesh.KindOf(err) != mesh.Unavailable {
		s.tell(failure(s.spec, stage, wire.FromError(err, s.runs.cfg.Self)))
	}
}

// tell sends to the coordinator. When that is dead nobody waits for the run.
func (s *share) tell(m *pb.SinkResult) error {
	if s.ctx.Err() != nil {
		return nil
	}
	err := s.runs.cfg.Peers.Send(s.ctx, s.spec.coordinator, m)
	if err != nil && s.ctx.Err() == nil {
		s.runs.cfg.Log.Warn("a run's coordinator was not told", "run", s.spec.run, "coordinator", s.spec.coordinator.Short(), "err", err)
	}
	if mesh.KindOf(err) == mesh.Unavailable {
		s.drop()
	}
	return err
}

func (s *share) dropIfDone() {
	s.mu.Lock()
	done := s.exec.left == 0
	s.mu.Unlock()
	if done {
		s.drop()
	}
}

// drop forgets the share and cancels what still runs of it.
func (s *share) drop() {
	if !s.alone {
		s.runs.forget(s)
	}
	s.mu.Lock()
	if !s.dropped {
		s.dropped = true
		s.runs.charge(-s.charged)
	}
	cancel := s.cancel
	s.mu.Unlock()
	cancel()
}
