package run

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
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
	ctx    context.Context
	cancel context.CancelFunc

	again    chan struct{} // holds a token when another attempt is due
	accepted chan struct{} // closed once the run's id may be told
	done     chan struct{} // closed once it is over

	mu      sync.Mutex
	first   uint32 // number of the first attempt
	next    []Placement
	tracker tracker
	share   *share // of the current attempt
	settled *Record
	refused bool // it was not taken on, or not to its end, as if never called here
	charged int64
}

// execute makes attempts until the run is over.
func (c *coordination) execute() {
	for {
		c.attempt()
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

func (c *coordination) expired() error {
	if errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
		return mesh.Errorf(mesh.DeadlineExceeded, "", "run %s had no result in time", c.id)
	}
	return mesh.Errorf(mesh.Cancelled, "", "the caller of run %s gave up", c.id)
}

// attempt plans and starts the run.
func (c *coordination) attempt() {
	places, err := c.place()
	if err != nil {
		c.fail(err)
		return
	}
	if s := c.begin(places); s != nil {
		s.begin(c.args)
	}
}

func (c *coordination) place() ([]Placement, error) {
	c.mu.Lock()
	places, lost := c.next, c.tracker.lost
	c.next = nil
	c.mu.Unlock()
	if places != nil {
		return places, nil
	}
	return c.runs.place(c.graph, c.args, c.policy, c.pins, lost)
}

// begin makes a plan the current attempt. Nil: the run is over, or the plan
// uses a node that was lost meanwhile.
func (c *coordination) begin(places []Placement) *share {
	c.mu.Lock()
	sp := &spec{
		graph: c.graph, run: c.id, attempt: c.first + uint32(c.tracker.tried),
		coordinator: c.runs.cfg.Self, places: places,
	}
	s := c.lead(sp)
	e := c.tracker.begin(sp)
	begun := c.tracker.phase == running && c.tracker.spec == sp
	if begun {
		c.share = s
		if !s.alone {
			c.runs.register(s)
		}
	}
	c.mu.Unlock()
	c.do(e)
	if !begun {
		s.cancel()
		return nil
	}
	return s
}

// lead makes the coordinator's share of an attempt.
func (c *coordination) lead(sp *spec) *share {
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	alone := sp.stagesOn(c.runs.cfg.Self) == len(sp.stages)
	if !alone {
		ctx, cancel = context.WithCancel(c.ctx)
	}
	s := c.runs.newShare(ctx, cancel, sp)
	s.lead, s.alone = c, alone
	return s
}

// begin hands the call's own arguments to the stages that have any. When no
// other node takes part, the caller's goroutine runs the stages too.
func (s *share) begin(args [][]Arg) {
	var ready []int
	for i := range s.spec.stages {
		node := s.spec.places[i].Node
		switch {
		case !s.spec.stages[i].hasArgs:
		case node != s.exec.self:
			s.hop(delivery{port{i, 0}, node}, i, args[i], nil)
		default:
			starts, err := s.accept(port{i, 0}, args[i], nil)
			if err != nil {
				s.fail(i, err)
				return
			}
			if starts {
				ready = append(ready, i)
			}
		}
	}
	for i, stage := range ready {
		if s.alone && i == len(ready)-1 {
			s.drive(stage)
			return
		}
		s.spawn(stage)
	}
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

func (c *coordination) sinkResult(attempt uint32, stage int, v mesh.Value, reports []report) {
	c.mu.Lock()
	e := c.tracker.sinkResult(attempt, stage, v, reports)
	err := c.charge()
	c.mu.Unlock()
	if c.do(e); err != nil {
		c.fail(err)
	}
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
	if e.end != nil {
		c.end(e.end)
	}
	if e.replan {
		select {
		case c.again <- struct{}{}:
		default:
		}
	}
	if e.answer {
		close(c.done)
		c.cancel()
	}
}

// end stops an attempt everywhere.
func (c *coordination) end(sp *spec) {
	c.mu.Lock()
	s, lost := c.share, slices.Clone(c.tracker.lost)
	c.mu.Unlock()
	if s != nil && s.spec == sp {
		s.drop()
	}
	if s != nil && s.alone {
		return
	}
	c.runs.spawn(func() { c.runs.endElsewhere(sp, lost) })
}

func (r *Runs) endElsewhere(sp *spec, lost []mesh.NodeID) {
	ctx, cancel := context.WithTimeout(r.ctx, noticeTimeout)
	defer cancel()
	for _, node := range sp.nodes() {
		if node == r.cfg.Self || slices.Contains(lost, node) {
			continue
		}
		err := r.cfg.Peers.Send(ctx, node, &pb.EndRun{RunId: sp.run[:], Attempt: sp.attempt})
		if err != nil {
			r.cfg.Log.Debug("a node was not told that a run ended", "run", sp.run, "node", node.Short(), "err", err)
		}
	}
}

// record is how the run stands.
func (c *coordination) record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settled != nil {
		return *c.settled
	}
	return c.tracker.record(c.runs.cfg.Self, c.first)
}
