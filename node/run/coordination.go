package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
)

// coordination is a run that this node coordinates: the tracker, and what
// plans, starts and ends its attempts. One goroutine owns it, the caller's
// or, where the record is kept, one of its own.
type coordination struct {
	runs   *Runs
	id     mesh.RunID
	graph  *graph
	args   [][]Arg // by stage; the call's own
	policy string
	pins   map[string]mesh.NodeID
	named  bool // by the caller, who may have called before
	work   effects.Work
	level  mesh.Consistency
	in     mesh.Session // in which the stages read and write
	began  time.Time
	after  *conclusion // nil: nothing is done with the result
	ctx    context.Context
	cancel context.CancelFunc

	again    chan struct{} // holds a token when the run is to be planned, made up for or committed
	accepted chan struct{} // closed once the run's id may be told
	done     chan struct{} // closed once it is over
	told     chan struct{} // of a kept run, closed once its result and its end are where they should be
	retired  chan struct{} // closed once its record is kept, and it is among those that are over

	version string // of its record as last read or written; for the owner

	mu      sync.Mutex
	first   uint32 // number of the first attempt
	next    []Placement
	tracker tracker
	share   *share              // once it has begun
	over    map[mesh.NodeID]int // how often a node said that it has forgotten its stages
	settled *Record
	refused bool // it was not taken on, or not to its end, as if never called here
	charged int64
}

// execute begins the run, has stages run again that were lost, and commits
// what they wrote, until it is over.
func (c *coordination) execute() {
	in, own, err := c.runs.session(c.ctx, c.in, c.level)
	if err != nil {
		c.fail(err)
		<-c.done
		return
	}
	if c.in = in; own {
		defer func() { c.runs.cfg.Sessions.End(c.in) }()
	}
	if c.graph.concludes(own, in) {
		c.mu.Lock()
		c.tracker.commits = true
		c.mu.Unlock()
	}
	if c.graph.drops() {
		c.runs.cfg.Sessions.Ask(in)
	}
	for {
		c.attempt()
		if c.isOver() {
			return
		}
		select {
		case <-c.done:
			return
		case <-c.again:
		case <-c.ctx.Done():
			c.fail(c.expired())
			<-c.done
			return
		}
	}
}

func (c *coordination) isOver() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *coordination) expired() error {
	if errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
		return mesh.Errorf(mesh.DeadlineExceeded, "", "run %s had no result in time", c.id)
	}
	return mesh.Errorf(mesh.Cancelled, "", "the caller of run %s gave up", c.id)
}

// attempt plans and starts the run; once it has begun, it makes up for what
// was lost; once all sinks have ended, it commits.
func (c *coordination) attempt() {
	c.mu.Lock()
	begun, ended := c.share != nil, c.tracker.phase == committing
	c.mu.Unlock()
	switch {
	case ended:
		c.commit()
		return
	case begun:
		c.recover()
		return
	}
	places, err := c.place()
	if err != nil {
		c.fail(err)
		return
	}
	s := c.begin(places)
	if s == nil {
		return
	}
	s.begin(c.args)
}

func (c *coordination) place() ([]Placement, error) {
	c.mu.Lock()
	places, lost := c.next, c.tracker.lost
	c.next = nil
	c.mu.Unlock()
	if places != nil {
		return places, nil
	}
	return c.runs.place(c.graph, nil, c.args, c.policy, c.pins, lost)
}

// begin makes a plan the first attempt of a generation. Nil: the run is over, or the plan
// uses a node that was lost meanwhile.
func (c *coordination) begin(places []Placement) *share {
	c.mu.Lock()
	sp := &spec{
		graph: c.graph, run: c.id, attempt: c.first + c.tracker.number(),
		work: c.works(), session: c.in, coordinator: c.runs.cfg.Self, places: places,
	}
	e := c.tracker.begin(sp)
	begun := c.tracker.phase == running && c.tracker.spec == sp
	if begun {
		c.share = c.lead(sp)
		if !c.share.alone {
			c.runs.register(c.share)
			c.runs.watchOver()
		}
	}
	s := c.share
	c.mu.Unlock()
	c.do(e)
	if !begun {
		return nil
	}
	return s
}

// lead makes the coordinator's share of the run.
func (c *coordination) lead(sp *spec) *share {
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	alone := sp.stagesOn(c.runs.cfg.Self) == len(sp.stages)
	if !alone || c.tracker.commits {
		ctx, cancel = context.WithCancel(c.ctx) // it may end before the run does
	}
	s := c.runs.newShare(ctx, cancel, sp, alone)
	s.lead = c
	return s
}

// begin hands the call's own arguments to the stages that have any. When no
// other node takes part, the caller's goroutine runs the stages too.
func (s *share) begin(args [][]Arg) {
	var ready []task
	sp := s.spec()
	for i := range sp.stages {
		if sp.stages[i].hasArgs {
			ready = s.supply(sp, i, args[i], ready)
		}
	}
	now := time.Now()
	for i, t := range ready {
		if s.alone && i == len(ready)-1 {
			s.drive(t, now)
			return
		}
		s.spawn(t, now)
	}
}

// supply hands the call's own arguments to a stage, and adds the tasks that
// can start by it here.
func (s *share) supply(sp *spec, stage int, args []Arg, ready []task) []task {
	if node := sp.places[stage].Node; node != s.exec.self {
		s.hop(&delivery{port: port{stage, 0}, node: node, from: stage}, args, reports{})
		return ready
	}
	tasks, err := s.accept(input{args: args}, nil, port{stage, 0})
	if err != nil {
		s.fail(stage, sp, err)
	}
	return append(ready, tasks...)
}

// The inputs of the tracker. Each is followed by what it asks for, without the lock.

func (c *coordination) fail(err error) {
	c.mu.Lock()
	e := c.tracker.fail(err)
	c.mu.Unlock()
	c.do(e)
}

func (c *coordination) nodeDown(node mesh.NodeID) {
	c.mu.Lock()
	e := c.tracker.nodeDown(node)
	c.mu.Unlock()
	c.do(e)
}

func (c *coordination) stageFailed(attempt uint32, stage int, err error) {
	c.mu.Lock()
	e := c.tracker.stageFailed(attempt, stage, err)
	c.mu.Unlock()
	c.do(e)
}

func (c *coordination) sinkResult(attempt uint32, stage int, end ending, told []report) {
	c.mu.Lock()
	e := c.tracker.sinkResult(attempt, stage, end, told)
	err := c.charge()
	c.mu.Unlock()
	if c.do(e); err != nil {
		c.broken(err)
	}
}

func (c *coordination) broken(err error) {
	c.mu.Lock()
	e := c.tracker.broken(err)
	c.mu.Unlock()
	c.do(e)
}

// agrees reports whether there is nothing to commit, and no conflict, for which
// nobody need wait.
func (c *coordination) agrees() bool {
	c.mu.Lock()
	failed := c.tracker.failure != nil
	c.mu.Unlock()
	return !failed && c.in.Level == mesh.Repeatable && c.runs.cfg.Sessions.Agrees(c.in)
}

func (c *coordination) committed() {
	c.mu.Lock()
	e := c.tracker.committed()
	c.mu.Unlock()
	c.do(e)
}

// charge counts the results that the tracker holds. With the lock held.
func (c *coordination) charge() error {
	err := c.runs.charge(c.tracker.held - c.charged)
	if err == nil {
		c.charged = c.tracker.held
	}
	return err
}

func (c *coordination) do(e effect) {
	if e.commit {
		if c.agrees() {
			c.committed()
			return
		}
		c.stop()
	}
	if e.replan || e.commit {
		select {
		case c.again <- struct{}{}:
		default:
		}
	}
	if e.answer {
		c.end(e.end)
		close(c.done)
		c.cancel()
	}
}

// end stops what still runs, here and elsewhere: at once where an attempt was
// cut short, else soon. Nobody keeps results any more.
func (c *coordination) end(cut *spec) {
	c.mu.Lock()
	s := c.share
	if s == nil || s.alone {
		c.mu.Unlock()
		if s != nil {
			s.drop()
		}
		return
	}
	sp, nodes := c.tracker.spec, c.tracker.keepers()
	if cut != nil {
		nodes = c.tracker.members()
	}
	c.mu.Unlock()
	s.drop()
	if cut != nil {
		c.runs.spawn(func() { c.runs.endNow(nodes, sp) })
		return
	}
	for _, node := range nodes {
		c.runs.endSoon(node, sp)
	}
}

// record is how the run stands.
func (c *coordination) record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := Record{}
	if c.settled != nil {
		record = *c.settled
	} else {
		record = c.tracker.record(c.runs.cfg.Self, c.first)
		record.Began = c.began
	}
	c.after.note(&record)
	return record
}

// works gives the work of the attempt that begins: only the first attempt of
// a run that nobody began before is the first to execute it. With the lock held.
func (c *coordination) works() effects.Work {
	if c.tracker.number() > 0 {
		return c.work.Again(c.began)
	}
	return c.work
}
