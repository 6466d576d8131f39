package run

import (
	"context"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

// ledger is what becomes of the sessions of a cluster.
type ledger struct {
	open      map[mesh.RunID]bool // until they are ended
	commits   int                 // that were tried
	conflicts int                 // how many of the next ones do
	verified  int                 // how often it was asked whether there are two versions
	torn      int                 // how many of the next ones have them
	committed []mesh.Session
	commit    func(ctx context.Context, in mesh.Session) error // in place of success; nil: none
}

func newLedger(conflicts int) *ledger {
	return &ledger{open: map[mesh.RunID]bool{}, conflicts: conflicts}
}

var errConflict = mesh.Errorf(mesh.Conflict, "commit", "key k was written")

// sessions are those of one node of a cluster. They see nothing, and their
// commits go as the ledger says.
type sessions struct {
	*cluster
	self mesh.NodeID
}

func (s sessions) Begin(level mesh.Consistency) (mesh.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := mesh.NewSession(level, s.self)
	s.ledger.open[in.ID] = true
	return in, nil
}

func (s sessions) End(in mesh.Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ledger.open, in.ID)
}

func (s sessions) Agrees(in mesh.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ledger.torn == 0 {
		s.ledger.verified++
	}
	return s.ledger.torn == 0
}

func (s sessions) Verify(ctx context.Context, in mesh.Session) error {
	if !s.lasts(in) || !in.Level.Pinned() || in.Home != s.self {
		s.t.Errorf("%s verifies the session %v", string(s.self), in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.verified++
	if s.ledger.torn == 0 {
		return ctx.Err()
	}
	s.ledger.torn--
	return errConflict
}

func (s sessions) Again(_ context.Context, in mesh.Session) (mesh.Session, error) {
	if in.Home != s.self {
		s.t.Errorf("the session of %s is begun anew at %s", string(in.Home), string(s.self))
	}
	s.End(in)
	return s.Begin(in.Level)
}

// Commit takes as long as a message there and back.
func (s sessions) Commit(ctx context.Context, in mesh.Session) error {
	if !s.lasts(in) || in.Level != mesh.Transactional || in.Home != s.self {
		s.t.Errorf("%s commits the session %v", string(s.self), in)
	}
	pause(ctx, s.drawn()+s.drawn())
	s.mu.Lock()
	s.ledger.commits++
	conflicts, commit := s.ledger.conflicts > 0, s.ledger.commit
	if conflicts {
		s.ledger.conflicts--
	}
	s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case conflicts:
		return errConflict
	case commit != nil:
		return commit(ctx, in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.committed = append(s.ledger.committed, in)
	return nil
}

func (s sessions) Retain(mesh.Session)              {}
func (s sessions) Release(mesh.Session)             {}
func (s sessions) Past(mesh.Session) []byte         { return nil }
func (s sessions) Learn(mesh.Session, []byte) error { return nil }
func (s sessions) Deeper(mesh.Session) uint64       { return 0 }

func (s sessions) Share(context.Context, mesh.Session) error { return nil }

func (s sessions) Ask(mesh.Session) {}

func (s sessions) Settle(context.Context, mesh.Session) error { return nil }

// lasts reports whether a session has not been ended.
func (c *cluster) lasts(in mesh.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.open[in.ID]
}

// inSession is a function whose result depends on its session, which it
// reads in at its end.
func (c *cluster) inSession(f function) function {
	return func(ctx context.Context, v Invocation) (mesh.Value, error) {
		result, err := f(ctx, v)
		if err == nil && !c.lasts(v.In) {
			err = mesh.Errorf(mesh.Unavailable, "get k", "the run is over")
		}
		return result, err
	}
}

func TestWhereNobodyMayTakeAResult(t *testing.T) {
	for name, c := range map[string]struct {
		options mesh.StageOptions
		want    bool
	}{
		"plain":   {mesh.StageOptions{}, false},
		"retried": {mesh.StageOptions{Retry: mesh.Retry{Attempts: 2}}, false},
		"any of":  {mesh.StageOptions{Any: &mesh.AnyOf{}}, true},
		"hedged":  {mesh.StageOptions{Hedge: mesh.Hedge{On: true}}, true},
	} {
		g := graph{stages: []stage{{}, {options: c.options}}}
		if got := g.drops(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
