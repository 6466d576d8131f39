package run

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// The view notices that a node died after some two seconds. Runs are to know
// sooner: while there are runs that have lasted a little, one guard for all
// asks the nodes that they wait for whether all is well with them. A node
// that stays silent is taken for lost by those runs, though not by anyone else.
const (
	guardInterval = 100 * time.Millisecond
	guardedAfter  = 2                      // looks at a run, until it is old enough to be asked about
	silentFor     = 300 * time.Millisecond // after the link has found a node silent
	overTwice     = 2                      // answers that a run is forgotten, until it counts: its result may be on its way
	guardTimeout  = 5 * time.Second
)

// watchOver counts a run that has stages elsewhere, and starts the guard if it does not run.
func (r *Runs) watchOver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spread++
	if !r.guarding && !r.closed {
		r.guarding = true
		r.work.Go(r.guard)
	}
}

// watchedOver ends what watchOver began.
func (r *Runs) watchedOver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spread--
}

// guard looks after runs until there are none that have stages elsewhere.
func (r *Runs) guard() {
	g := &guard{runs: r, nodes: map[mesh.NodeID]*guarded{}, looks: map[*coordination]int{}}
	defer g.asking.Wait()
	ticker := time.NewTicker(guardInterval)
	defer ticker.Stop()
	for r.needsGuard() {
		select {
		case <-r.ctx.Done():
			return
		case now := <-ticker.C:
			g.look(now)
		}
	}
}

// needsGuard reports whether a run has stages elsewhere; if not, the guard is over.
func (r *Runs) needsGuard() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guarding = r.spread > 0
	return r.guarding
}

// guard is what one guard knows.
type guard struct {
	runs   *Runs
	asking sync.WaitGroup
	looks  map[*coordination]int // so far
	last   time.Time

	mu    sync.Mutex
	nodes map[mesh.NodeID]*guarded
}

// guarded is a node that runs wait for.
type guarded struct {
	silence suspicion
	asked   bool // and has not answered yet
}

// look asks each node about the runs that wait for it.
func (g *guard) look(now time.Time) {
	waiting := g.waiting()
	heldUp := !g.last.IsZero() && now.Sub(g.last) > 2*guardInterval
	g.last = now
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.nodes, func(node mesh.NodeID, at *guarded) bool { return waiting[node] == nil && !at.asked })
	for node, runs := range waiting {
		at := g.nodes[node]
		if at == nil {
			at = &guarded{}
			g.nodes[node] = at
		}
		if heldUp {
			at.silence = suspicion{}
		}
		if !at.asked {
			at.asked = true
			g.asking.Go(func() { g.ask(node, at, runs) })
		}
	}
}

// waiting lists, by node, the runs that have lasted a little and wait for it.
func (g *guard) waiting() map[mesh.NodeID][]*coordination {
	g.runs.mu.Lock()
	coordinated := slices.Collect(maps.Values(g.runs.coordinated))
	g.runs.mu.Unlock()
	looks := make(map[*coordination]int, len(coordinated))
	waiting := map[mesh.NodeID][]*coordination{}
	for _, c := range coordinated {
		if looks[c] = g.looks[c] + 1; looks[c] <= guardedAfter {
			continue
		}
		for _, node := range c.awaited() {
			waiting[node] = append(waiting[node], c)
		}
	}
	g.looks = looks
	return waiting
}

// awaited lists the nodes that the run waits for.
func (c *coordination) awaited() (nodes []mesh.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracker.phase != running {
		return nil
	}
	for _, node := range c.tracker.spec.nodes() {
		if c.tracker.awaits(node, math.MaxUint32) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// ask asks one node about runs.
func (g *guard) ask(node mesh.NodeID, at *guarded, runs []*coordination) {
	ctx, cancel := context.WithTimeout(g.runs.ctx, guardTimeout)
	defer cancel()
	m := &pb.CheckRuns{}
	for _, c := range runs {
		m.RunIds = append(m.RunIds, c.id[:])
	}
	reply, silent, err := g.runs.cfg.Peers.CallUnlessSilent(ctx, node, m)
	silent = silent || mesh.KindOf(err) == mesh.Unavailable && ctx.Err() == nil
	g.mu.Lock()
	at.asked = false
	lost := at.silence.lost(time.Now(), silent)
	g.mu.Unlock()
	if lost {
		for _, c := range runs {
			c.nodeDown(node)
		}
		return
	}
	heed(node, runs, reply)
}

// heed takes what a node told of runs.
func heed(from mesh.NodeID, runs []*coordination, reply wire.Message) {
	m, _ := reply.(*pb.CheckRunsReply)
	for _, trouble := range m.GetTroubles() {
		i := slices.IndexFunc(runs, func(c *coordination) bool { return string(c.id[:]) == string(trouble.RunId) })
		if i < 0 {
			continue
		}
		for _, node := range nodesOf(trouble.Lost) {
			runs[i].nodeDown(node)
		}
		if trouble.Forgotten > 0 {
			runs[i].forgottenBy(from, trouble.Forgotten)
		}
	}
}

// forgottenBy takes it that a node has forgotten its stages of the run, or
// results of theirs, up to an attempt.
func (c *coordination) forgottenBy(node mesh.NodeID, attempt uint32) {
	c.mu.Lock()
	if !c.tracker.awaits(node, attempt) {
		c.mu.Unlock()
		return
	}
	if c.over == nil {
		c.over = map[mesh.NodeID]int{}
	}
	c.over[node]++
	var e effect
	if n := c.over[node]; n >= overTwice && n&(n-1) == 0 { // and again, ever more rarely: it may be of no consequence
		e = c.tracker.injured()
	}
	c.mu.Unlock()
	c.do(e)
}

// suspicion judges a node that is asked again and again. It has no clock.
type suspicion struct {
	since time.Time // it is silent; zero: it is not
}

// lost takes whether the node was silent just now, and reports whether it has
// been for so long that it counts as lost.
func (s *suspicion) lost(now time.Time, silent bool) bool {
	switch {
	case !silent:
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = now
	}
	return silent && now.Sub(s.since) >= silentFor
}

// HandleCheckRuns tells what is wrong with runs that the sender coordinates.
func (r *Runs) HandleCheckRuns(from mesh.NodeID, m *pb.CheckRuns) (*pb.CheckRunsReply, error) {
	reply := &pb.CheckRunsReply{}
	for _, raw := range m.RunIds {
		id, err := wire.ToRunID(raw)
		if err != nil {
			return nil, err
		}
		s, forgotten := r.find(runKey{id, from})
		trouble := &pb.RunTrouble{RunId: raw, Forgotten: forgotten}
		if s != nil {
			lost, gone := s.troubles()
			trouble.Lost, trouble.Forgotten = bytesOf(lost), gone
		}
		if trouble.Forgotten > 0 || len(trouble.Lost) > 0 {
			reply.Troubles = append(reply.Troubles, trouble)
		}
	}
	return reply, nil
}

// noteCutOff notes that this node has seen another node of the run die.
func (s *share) noteCutOff(node mesh.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.cutOff, node) {
		s.cutOff = append(s.cutOff, node)
	}
}

// troubles lists nodes of the run that this one has seen die, and tells up to
// which attempt stages or results are gone that it once had.
func (s *share) troubles() (lost []mesh.NodeID, gone uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cutOff), s.exec.gone
}
