package session

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// local is what this node reads of a key.
type local struct {
	seen   *seen       // nil where the key cannot be read
	here   bool        // it was at hand
	how    *reading    // of a transaction; nil: the home knows
	causal *CausalRead // what was read in order, if it was
}

// readHere reads a key as this node sees it. The first time that a transaction
// reads a key it does so in order; else it has to see the same again.
func (s *Sessions) readHere(ctx context.Context, p *pins, key mesh.Key) (read local, err error) {
	if p.of.Level == mesh.Transactional && !s.knows(p, key) {
		return s.readOrdered(ctx, p.of, key)
	}
	value, here, err := s.cfg.Read(ctx, key)
	switch {
	case err != nil && mesh.KindOf(err) == mesh.NotFound:
		return local{seen: &seen{missing: true}, here: here}, err
	case err != nil:
		return local{here: here}, err
	}
	return local{seen: &seen{value: value}, here: here}, nil
}

// knows reports whether this node knows that the session has read or written a key.
func (s *Sessions) knows(p *pins, key mesh.Key) (known bool) {
	if p.home != nil {
		return p.home.knows(key)
	}
	s.know(p, func(t *sight) {
		if _, known = t.read(key); !known {
			_, known = t.writes[key]
		}
	})
	return known
}

// readOrdered reads a key for a transaction, as of what this node knows of it.
func (s *Sessions) readOrdered(ctx context.Context, of mesh.Session, key mesh.Key) (local, error) {
	t := s.thread(of)
	if t == nil {
		return local{}, errOver()
	}
	read, err := s.cfg.Causal.Read(ctx, key, t.needed(s.cfg.Causal.View()), true)
	if err != nil {
		return local{}, err
	}
	now, how := parts(read)
	return local{seen: now, here: read.Here, how: how, causal: &read}, nil
}

// saw notes that a session sees what was read here.
func (s *Sessions) saw(of mesh.Session, read local) {
	if t := s.thread(of); t != nil && read.causal != nil {
		t.saw(of.Level, read.causal)
	}
}

// parts are what a session keeps of a read. Who has a register as one node wrote
// it has all that this node had written of it before.
func parts(read CausalRead) (*seen, *reading) {
	now := &seen{missing: !read.Found, value: read.Value}
	how := &reading{needs: read.Needs, made: read.Made, asOf: read.AsOf}
	if read.Found && read.Value.Kind() == lattice.LWWKind && read.Made.Len() == 1 {
		how.asOf = how.asOf.Join(how.made)
	}
	return now, how.of(now)
}
