package run

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// share is this node's part of a run: the execution, and what moves its
// inputs and results. It lasts until the coordinator says that the run is
// over, or is seen dead, or the run's deadline; where nothing that it results
// in is needed by other nodes, until its stages have ended.
type share struct {
	runs   *Runs
	plan   atomic.Pointer[spec] // of the latest attempt; run and coordinator never change
	lead   *coordination        // where this node coordinates the run, else nil
	ctx    context.Context
	cancel context.CancelFunc
	alone  bool // no other node takes part

	mu      sync.Mutex
	exec    execution
	charged int64
	dropped bool
	passing int                    // ends of stages that are being handed on
	retains bool                   // the session of a run that another node coordinates
	cutOff  []mesh.NodeID          // nodes of the run that this one has seen die
	losers  map[int]contextOfStage // of any-of stages that run
}

type contextOfStage struct {
	context.Context
	cancel context.CancelFunc
}

func (r *Runs) newShare(ctx context.Context, cancel context.CancelFunc, s *spec, alone bool) *share {
	share := &share{runs: r, ctx: ctx, cancel: cancel, alone: alone, exec: newExecution(r.cfg.Self, s)}
	share.exec.keeps = !alone
	share.plan.Store(s)
	return share
}

func (s *share) spec() *spec { return s.plan.Load() }

// accept takes an input of one stage, or the same of several, with what stages
// before had to tell. It gives the tasks that can start by it.
func (s *share) accept(in input, told []byte, ports ...port) (ready []task, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return nil, nil
	}
	fresh := false
	for _, p := range ports {
		var is bool
		ready, is = s.exec.arrive(p, in, ready)
		fresh = fresh || is
	}
	if fresh {
		s.exec.unsent.pass(told, len(s.exec.stages))
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

// drive runs a task that is ready, and then those of this node that become
// ready by it: one after the other here, the others in goroutines of their
// own. A chain neither grows the stack nor changes goroutines.
func (s *share) drive(t task, ready time.Time) {
	for more := true; more; {
		t, ready, more = s.step(t, ready)
	}
}

func (s *share) step(t task, ready time.Time) (next task, since time.Time, more bool) {
	b, ctx := s.start(t)
	if b.verdict == stale {
		return task{}, ready, false
	}
	end, err := s.end(ctx, t, b)
	if t.parent > 0 && (err != nil || b.spec.stages[t.stage].rejects(end.value)) {
		if err = s.reject(t, b.spec, err); err == nil {
			return task{}, ready, false
		}
	}
	if err != nil {
		s.fail(t.stage, b.spec, err)
		return task{}, ready, false
	}
	end.report.queued += max(0, end.report.started.Sub(ready))
	return s.pass(t, b.spec, end)
}

func (s *share) start(t task) (begun, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return begun{}, nil
	}
	b := s.exec.start(t)
	s.charge() // less than before
	if b.verdict != invoke || t.parent == 0 {
		return b, s.ctx
	}
	st := &b.spec.stages[t.stage]
	return b, withBranch(s.stageContext(t.stage), b.spec.stages[st.parents[t.parent-1]].name)
}

// end makes an end of what has begun: it runs the function, and sees which
// edges its result takes.
func (s *share) end(ctx context.Context, t task, b begun) (end ending, err error) {
	switch b.verdict {
	case refute:
		return ending{}, b.err
	case skip:
		return ending{skipped: true, report: report{started: time.Now()}}, nil
	}
	end.value, end.report, err = s.runs.invoke(ctx, b.spec, t.stage, b.args)
	if st := &b.spec.stages[t.stage]; err == nil && st.branches && !st.rejects(end.value) {
		end.taken, err = b.spec.judge(t.stage, end.value)
	}
	return end, err
}

// stageContext is that of all executions of an any-of stage. With the lock held.
func (s *share) stageContext(stage int) context.Context {
	if at, ok := s.losers[stage]; ok {
		return at
	}
	if s.losers == nil {
		s.losers = map[int]contextOfStage{}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.losers[stage] = contextOfStage{ctx, cancel}
	return ctx
}

// giveUp cancels what still runs of an any-of stage that has ended. With the lock held.
func (s *share) giveUp(stage int) {
	if at, ok := s.losers[stage]; ok {
		at.cancel()
		delete(s.losers, stage)
	}
}

func (s *share) reject(t task, under *spec, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return nil
	}
	return s.exec.reject(t, under, err)
}

// pass takes the end of a task and hands it on. It gives one of the tasks
// that become ready by it; the others get goroutines of their own.
func (s *share) pass(t task, under *spec, end ending) (next task, since time.Time, more bool) {
	since = time.Now()
	out, told, err := s.finish(t, under, end)
	defer s.passed()
	if err != nil {
		s.fail(t.stage, under, err)
		return task{}, since, false
	}
	for i := 1; i < len(out.invoke); i++ {
		s.spawn(out.invoke[i], since)
	}
	s.deliver(out.send, told)
	if out.sink {
		s.answer(t.stage, end, told)
	}
	if len(out.invoke) == 0 {
		return task{}, since, false
	}
	return out.invoke[0], since, true
}

func (s *share) finish(t task, under *spec, end ending) (out outputs, told reports, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passing++
	if s.dropped {
		return outputs{}, reports{}, nil
	}
	s.exec.full = s.runs.crowded()
	out = s.exec.finish(t, under, end)
	if out.sink || len(out.send) > 0 {
		told = s.exec.takeReports()
	}
	if s.losers != nil && s.exec.stages[t.stage].done {
		s.giveUp(t.stage)
	}
	return out, told, s.charge()
}

func (s *share) spawn(t task, ready time.Time) {
	s.runs.stages.Do(func() { s.drive(t, ready) })
}

// passed says that the end of a stage has been handed on. It drops a share that
// nobody needs any more, and whose coordinator will not say so.
func (s *share) passed() {
	s.mu.Lock()
	s.passing--
	done := s.lead == nil && s.passing == 0 && s.exec.left == 0 && !s.exec.spec.keeps(s.exec.self)
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
		s.release()
	}
	cancel := s.cancel
	s.mu.Unlock()
	cancel()
}
