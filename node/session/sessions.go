package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/txn"
)

// Bounds.
const (
	// MaxKeys is how many keys a session may see.
	MaxKeys = 1 << 16
	// MaxSessions is how many sessions may have something on a node.
	MaxSessions = 1 << 15
	// longest is how long pins last whose run has no deadline that the node knows of.
	longest = 24 * time.Hour
)

// Peers reaches other nodes. Unavailable means that a node could not be reached.
type Peers interface {
	Call(ctx context.Context, to mesh.NodeID, m wire.Message) (wire.Message, error)
	Send(ctx context.Context, to mesh.NodeID, m wire.Message) error
}

// Config is what the sessions of a node need.
type Config struct {
	Self  mesh.NodeID
	Peers Peers
	// Read gives the value of a key as this node sees it, and whether it was on
	// this node; a missing key is NotFound. The value is shared: it is not changed.
	Read func(ctx context.Context, key mesh.Key) (value lattice.Value, here bool, err error)
	// Causal is for sessions at causal levels.
	Causal Causal
	// Commit makes what a run at mesh.Transactional has written, together, with
	// what it has seen before.
	Commit func(ctx context.Context, writes []txn.Write, seen lattice.Past) error
	// Stamp gives a stamp later than all that the node has seen.
	Stamp func() lattice.Stamp
	Log   *slog.Logger
}

// Sessions are those that have something on a node. It is safe for concurrent use.
type Sessions struct {
	cfg  Config
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	open    map[mesh.RunID]*pins
	threads map[mesh.RunID]*thread
	ends    map[mesh.NodeID]*pb.EndSession // which nodes are about to be told; nil: none are
}

// New starts nothing. Close ends what calls start.
func New(c Config) *Sessions {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Sessions{cfg: c, open: map[mesh.RunID]*pins{}, threads: map[mesh.RunID]*thread{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close forgets all sessions, and waits for what still runs.
func (s *Sessions) Close() {
	s.mu.Lock()
	s.closed = true
	for id := range s.open {
		s.drop(id)
	}
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// Begin begins a session whose home is this node. It lasts until End. At
// Eventual there is nothing to begin.
func (s *Sessions) Begin(level mesh.Consistency) (mesh.Session, error) {
	of := mesh.NewSession(level, s.cfg.Self)
	if of.IsZero() {
		return of, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(); err != nil {
		return mesh.Session{}, err
	}
	h := &home{keys: map[mesh.Key]*entry{}}
	if level == mesh.Transactional {
		h.tx = newTransaction(nil)
	}
	s.begin(of, h)
	return of, nil
}

// begin makes what the home of a session keeps. With the lock held.
func (s *Sessions) begin(of mesh.Session, h *home) {
	s.threads[of.ID] = &thread{users: 1}
	if of.Level.Pinned() {
		s.open[of.ID] = &pins{of: of, home: h, keys: map[mesh.Key]*pin{}}
	}
}

// room reports why no session can be taken on. With the lock held.
func (s *Sessions) room() error {
	switch {
	case s.closed:
		return mesh.Errorf(mesh.Unavailable, "session", "the node is shutting down")
	case len(s.open)+len(s.threads) >= MaxSessions:
		return mesh.Errorf(mesh.Overloaded, "session", "%d sessions have something on the node: retry later", MaxSessions)
	}
	return nil
}

// End ends a session that Begin began, here and wherever it has something.
func (s *Sessions) End(of mesh.Session) {
	if of.IsZero() {
		return
	}
	s.Release(of)
	if !of.Level.Pinned() {
		return
	}
	s.mu.Lock()
	p := s.open[of.ID]
	s.drop(of.ID)
	closed := s.closed
	s.mu.Unlock()
	if p == nil || p.home == nil || closed {
		return
	}
	for _, node := range p.home.everyone(s.cfg.Self) {
		s.endSoon(node, of)
	}
}

// drop forgets what is here of a session. With the lock held.
func (s *Sessions) drop(id mesh.RunID) {
	if p := s.open[id]; p != nil {
		delete(s.open, id)
		if p.timer != nil {
			p.timer.Stop()
		}
	}
}

// PeerDown tells of a node that died: its sessions are over, and it holds
// nothing any more of others.
func (s *Sessions) PeerDown(node mesh.NodeID) {
	s.mu.Lock()
	var homes []*home
	for id, p := range s.open {
		if p.of.Home == node {
			s.drop(id)
		} else if p.home != nil {
			homes = append(homes, p.home)
		}
	}
	s.mu.Unlock()
	for _, h := range homes {
		h.lose(node)
	}
}

// pinsOf gives what is here of a session. On another node than its home it
// may be the first to do so.
func (s *Sessions) pinsOf(ctx context.Context, of mesh.Session) (*pins, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(longest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.open[of.ID]
	switch {
	case p != nil:
		p.lastUntil(deadline)
		return p, nil
	case of.Home == s.cfg.Self:
		return nil, errOver()
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	p = &pins{of: of, until: deadline, keys: map[mesh.Key]*pin{}}
	p.timer = time.AfterFunc(time.Until(deadline), func() { s.expire(p) })
	s.open[of.ID] = p
	return p, nil
}

// expire ends pins whose run has passed its deadline.
func (s *Sessions) expire(p *pins) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.mu.Lock()
	late := !time.Now().Before(p.until)
	p.mu.Unlock()
	if late && s.open[p.of.ID] == p {
		s.drop(p.of.ID)
	}
}

func errOver() error { return mesh.Errorf(mesh.Unavailable, "session", "the run is over") }

// Open is how many sessions have something on the node.
func (s *Sessions) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.threads)
	for id := range s.open {
		if s.threads[id] == nil {
			n++
		}
	}
	return n
}
