package run

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

// What runs have seen travels with hops and results.

func (r *Runs) past(in mesh.Session) []byte {
	if in.IsZero() {
		return nil
	}
	return r.cfg.Sessions.Past(in)
}

func (r *Runs) learn(in mesh.Session, past []byte) error {
	if len(past) == 0 || in.IsZero() {
		return nil
	}
	return r.cfg.Sessions.Learn(in, past)
}

// settle has the home of a session hear what it has read here, where an error is
// all that goes back: who gets that may go on by it.
func (r *Runs) settle(ctx context.Context, in mesh.Session) {
	if in.IsZero() {
		return
	}
	if err := r.cfg.Sessions.Settle(ctx, in); err != nil {
		r.cfg.Log.Debug("a run's coordinator was not told what it has read", "err", err)
	}
}

func (r *Runs) deeper(in mesh.Session) uint64 {
	if in.IsZero() {
		return 0
	}
	return r.cfg.Sessions.Deeper(in)
}

// retain keeps the session of a run that another node coordinates as long as
// the share lasts.
func (s *share) retain() {
	if in := s.spec().session; s.lead == nil && !in.IsZero() {
		s.runs.cfg.Sessions.Retain(in)
		s.retains = true
	}
}

// release is called once, when the share is dropped.
func (s *share) release() {
	if s.retains {
		s.runs.cfg.Sessions.Release(s.spec().session)
	}
}

// sessionOf is the session of a run's stage.
func (s *spec) sessionOf(stage int) mesh.Session {
	in := s.session
	if in.Level.Pinned() && !in.Shared && isPlain(&s.stages[stage].options) {
		in.Place = s.graph.place(stage)
	}
	return in
}
