package link

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Silent reports whether the peer owes answers and nothing was heard from it
// for Limits.SilentAfter and three round trips, though it was probed. It may
// have died, or be held up; the connection stands until Limits.IdleTimeout,
// and is not silent any more with the next sign of life.
func (c *Conn) Silent() bool {
	select {
	case <-*c.silent.Load():
		return true
	default:
		return false
	}
}

// CallUnlessSilent is Call for a request that can go to another peer instead:
// it ends with Unavailable, which wraps ErrSilent, when the peer is Silent.
// The request may have arrived all the same.
func (c *Conn) CallUnlessSilent(ctx context.Context, req wire.Message) (wire.Message, error) {
	if c.Silent() {
		return nil, c.fellSilent()
	}
	return c.call(ctx, wire.Header{}, req, patience{silent: *c.silent.Load()})
}

// patience is how long a call waits for its peer: until silent is closed, but no
// less than until least, and a round trip more. A peer that is heard again by
// then is waited for as before.
type patience struct {
	silent <-chan struct{} // nil: for as long as the connection stands
	least  time.Time
}

// wait waits for ready, and gives nil, for the end of ctx, and gives its error,
// or for the end of p: then the error wraps ErrSilent.
func (c *Conn) wait(ctx context.Context, ready <-chan struct{}, p patience) error {
	var over <-chan time.Time
	for {
		select {
		case <-ready:
			return nil
		case <-ctx.Done():
			return mesh.AsError("call", ctx.Err())
		case <-p.silent:
			left := time.Until(p.least.Add(c.RTT()))
			if p.least.IsZero() || left <= 0 {
				return c.fellSilent()
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			p.silent, over = nil, timer.C
		case <-over:
			if c.Silent() {
				return c.fellSilent()
			}
			p.silent, over = *c.silent.Load(), nil
		}
	}
}

func (c *Conn) fellSilent() *mesh.Error {
	return &mesh.Error{Kind: mesh.Unavailable, Op: "call", Node: c.peer.ID, Err: ErrSilent}
}

// silence judges whether a peer that owes answers is silent. It has no clock
// and no I/O.
type silence struct {
	after time.Duration
	every time.Duration // is looked, where this process is not held up

	watching bool
	looked   time.Time     // last
	heard    uint64        // how much was heard of the peer
	quiet    time.Duration // since that was first seen, as far as this process was looking
	probed   time.Time     // since then; zero: not
	silent   bool
}

// begin is the judgement as it is when so much was heard of the peer at now.
func (s silence) begin(now time.Time, heard uint64) silence {
	return silence{after: s.after, every: s.every, watching: true, looked: now, heard: heard}
}

// reprobe is how often a silent peer is probed.
const reprobe = 500 * time.Millisecond

// Look takes how much was heard of the peer by now, and says whether to send
// a probe, and whether the judgement, silent, has changed.
//
// Looks that are further apart than they should be say that this process is held
// up itself, and may not have read what the peer sent: a look counts for no more
// than the time between two, and where they are far apart the peer is given its
// time anew.
func (s *silence) Look(now time.Time, heard uint64, rtt time.Duration) (probe, changed bool) {
	limit := s.after + 3*rtt
	gap := now.Sub(s.looked)
	if !s.watching || heard != s.heard || !s.silent && gap > limit/2 {
		changed = s.silent
		*s = s.begin(now, heard)
		return false, changed
	}
	s.looked = now
	s.quiet += min(gap, s.every)
	if !s.silent && !s.probed.IsZero() && s.quiet >= limit {
		s.silent, changed = true, true
	}
	if s.probed.IsZero() && s.quiet >= limit/2 || s.silent && now.Sub(s.probed) >= reprobe {
		s.probed, probe = now, true
	}
	return probe, changed
}

// Suspect says that somebody else finds the peer silent. It reports whether
// that is believed: then a probe is due, and the next sign of life ends it. It
// is not where the peer was heard since the last look.
func (s *silence) Suspect(now time.Time, heard uint64) bool {
	if s.silent || s.watching && heard != s.heard {
		return false
	}
	*s = s.begin(now, heard)
	s.probed, s.silent = now, true
	return true
}

// Rest says that the peer owes nothing.
func (s *silence) Rest() { s.watching, s.probed = false, time.Time{} }

// TellSuspect lets the peer know that a node is silent to this side, so that
// what it would pass on to that node does not wait once more. The peer hears
// of it before any small request that is sent later.
func (c *Conn) TellSuspect(ctx context.Context, node mesh.NodeID) {
	_ = c.Send(ctx, &pb.Suspect{Node: []byte(node)}) // without it the request takes longer
}

// suspect takes a node for silent that another peer hears nothing of, and
// probes it.
func (e *Endpoint) suspect(node mesh.NodeID) {
	c, standing := e.Conn(node)
	if !standing {
		return
	}
	c.lookMu.Lock()
	defer c.lookMu.Unlock()
	if c.quiet.Suspect(time.Now(), c.heard()) {
		c.judge(true)
		c.spawn(c.probe)
		c.watch()
	}
}

// heard counts what was read of the peer.
func (c *Conn) heard() uint64 { return c.answers.reads.Load() + c.incoming.reads.Load() }

// looksPerLimit is how often the connection is looked at within Limits.SilentAfter.
const looksPerLimit = 5

func (c *Conn) lookInterval() time.Duration {
	return c.endpoint.config.Limits.SilentAfter / looksPerLimit
}

// watch begins to look at the connection, as the first answer falls due.
func (c *Conn) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.watcher == nil:
		c.watcher = time.AfterFunc(c.lookInterval(), func() { c.spawnLook() })
	default:
		c.watcher.Reset(c.lookInterval())
	}
}

// spawnLook runs look on the timer's goroutine, as one of the connection's.
func (c *Conn) spawnLook() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.tasks.Add(1)
	c.mu.Unlock()
	defer c.tasks.Done()
	c.look()
}

// look judges the silence of the peer, for as long as it owes answers or is
// silent. A call that begins just as one ends starts another: they take turns.
func (c *Conn) look() {
	c.lookMu.Lock()
	defer c.lookMu.Unlock()
	if !c.quiet.silent && c.calls.rest() {
		c.quiet.Rest()
		return
	}
	probe, changed := c.quiet.Look(time.Now(), c.heard(), c.RTT())
	if changed {
		c.judge(c.quiet.silent)
	}
	if probe {
		c.spawn(c.probe)
	}
	c.watch()
}

// judge lets all know whether the peer is silent.
func (c *Conn) judge(silent bool) {
	if silent {
		c.endpoint.log.Debug("a peer is silent", "peer", c.peer.ID)
		close(*c.silent.Load())
		return
	}
	heard := make(chan struct{})
	c.silent.Store(&heard)
}

// probe asks the peer's link for an answer, which the handler has no part in.
func (c *Conn) probe() {
	ctx, cancel := context.WithTimeout(c.ctx, c.endpoint.config.Limits.IdleTimeout)
	defer cancel()
	_, _ = c.Call(ctx, &pb.Probe{}) // whatever comes is a sign of life
}
