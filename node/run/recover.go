package run

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// surveyTimeout is how long a node has to tell how its stages stand, until it
// counts as lost too.
const surveyTimeout = 5 * time.Second

// recover makes up for what a run lost with nodes: it asks those that are
// left how their stages stand, and has the stages run again whose results are
// gone and wanted. What is lost meanwhile makes it begin anew.
func (c *coordination) recover() {
	for {
		c.mu.Lock()
		hurt, sp := c.tracker.hurt && c.tracker.phase == running, c.tracker.spec
		c.tracker.hurt = false
		lost := c.tracker.lost[:len(c.tracker.lost):len(c.tracker.lost)]
		c.mu.Unlock()
		if !hurt || c.ctx.Err() != nil {
			return
		}
		l, complete := c.survey(sp, lost)
		if !complete {
			continue // with one more node lost
		}
		if err := c.amend(l); err != nil {
			c.broken(err)
			return
		}
	}
}

// survey asks the nodes of a plan that live. Not complete: another one was lost.
func (c *coordination) survey(sp *spec, lost []mesh.NodeID) (l loss, complete bool) {
	l = loss{spec: sp, lost: lost, standing: map[int]standing{}, forgot: map[mesh.NodeID]uint32{}}
	ctx, cancel := context.WithTimeout(c.ctx, surveyTimeout)
	defer cancel()
	ask := &pb.SurveyRun{RunId: sp.run[:], Lost: bytesOf(lost), Attempt: sp.attempt}
	var mu sync.Mutex
	var all sync.WaitGroup
	complete = true
	for _, node := range sp.nodes() {
		if node == c.runs.cfg.Self || l.isLost(node) {
			continue
		}
		all.Go(func() {
			reply, err := c.runs.callPatiently(ctx, node, ask)
			m, ok := reply.(*pb.SurveyRunReply)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || !ok {
				complete = false
				c.unreachable(node)
				return
			}
			c.learn(&l, node, m)
		})
	}
	all.Wait()
	own, told := c.share.survey(lost)
	for stage, st := range own {
		l.standing[stage] = st
	}
	c.mu.Lock()
	c.tracker.learn(told.all(len(sp.stages)))
	l.reported, l.doubted = c.tracker.ended(), map[mesh.NodeID]bool{}
	for node, times := range c.over {
		l.doubted[node] = times >= overTwice
	}
	c.mu.Unlock()
	return l, complete
}

// unreachable gives a node up that did not answer, unless nobody waits for the run any more.
func (c *coordination) unreachable(node mesh.NodeID) {
	if c.ctx.Err() == nil {
		c.nodeDown(node)
	}
}

func (c *coordination) learn(l *loss, node mesh.NodeID, m *pb.SurveyRunReply) {
	l.forgot[node] = m.Forgotten
	if err := c.runs.learn(c.in, m.Past); err != nil {
		c.runs.cfg.Log.Warn("a node does not know what a run has seen", "node", node.Short(), "err", err)
	}
	for stage, st := range parseSurvey(m, l.spec, node) {
		l.standing[stage] = st
	}
	c.mu.Lock()
	c.tracker.learn(parseReports(m.Reports, len(l.spec.stages)))
	c.mu.Unlock()
}

// amend places what has to run again, and tells all who take part.
func (c *coordination) amend(l loss) error {
	anew := l.again()
	if len(anew) == 0 {
		c.tellAmended(l.spec, l) // for sinks whose results were lost on their way
		return nil
	}
	places, err := c.placeAnew(l.spec, anew)
	if err != nil {
		return err
	}
	next := l.spec.amended(anew, places)
	next.work = l.spec.work.Again(c.began)
	c.mu.Lock()
	e := c.tracker.amend(next)
	current := c.tracker.phase == running && c.tracker.spec == next
	c.mu.Unlock()
	if c.do(e); !current {
		return nil
	}
	c.share.amend(next)
	c.tellAmended(next, l)
	var ready []task
	for _, stage := range anew {
		if next.stages[stage].hasArgs {
			ready = c.share.supply(next, stage, c.args[stage], ready)
		}
	}
	c.share.spawnAll(ready)
	return nil
}

// placeAnew plans the stages that run again, beside those that stay where they
// are, at no node that has been lost by now.
func (c *coordination) placeAnew(sp *spec, anew []int) ([]Placement, error) {
	c.mu.Lock()
	lost := c.tracker.lost
	c.mu.Unlock()
	at := make([]mesh.NodeID, len(sp.stages))
	for i := range at {
		at[i] = sp.places[i].Node
	}
	for _, i := range anew {
		at[i] = ""
	}
	all, err := c.runs.place(sp.graph, at, c.args, c.policy, c.pins, lost)
	if err != nil {
		return nil, err
	}
	places := make([]Placement, len(anew))
	for n, i := range anew {
		places[n] = all[i]
	}
	return places, nil
}

// tellAmended sends a plan to the other nodes that take part.
func (c *coordination) tellAmended(sp *spec, l loss) {
	m := &pb.AmendRun{Run: sp.message(), LeftUs: timeLeft(c.ctx), Past: c.runs.past(c.in)}
	for stage, reported := range l.reported {
		if reported {
			m.Reported = append(m.Reported, uint32(stage))
		}
	}
	for _, node := range sp.nodes() {
		if node == c.runs.cfg.Self || l.isLost(node) {
			continue
		}
		if err := c.runs.cfg.Peers.Send(c.ctx, node, m); mesh.KindOf(err) == mesh.Unavailable {
			c.unreachable(node)
		}
	}
}

// Patience with a node that is silent.
const (
	patience      = 400 * time.Millisecond // until it counts as lost
	patienceSteps = 50 * time.Millisecond  // between two attempts to ask it
)

// callPatiently asks a node, again if it is silent for a moment.
func (r *Runs) callPatiently(ctx context.Context, node mesh.NodeID, m wire.Message) (wire.Message, error) {
	began := time.Now()
	timer := time.NewTimer(patienceSteps)
	defer timer.Stop()
	for {
		reply, silent, err := r.cfg.Peers.CallUnlessSilent(ctx, node, m)
		if !silent || time.Since(began) > patience {
			return reply, err
		}
		timer.Reset(patienceSteps)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, mesh.AsError("", ctx.Err())
		}
	}
}
