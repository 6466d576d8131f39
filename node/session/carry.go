package session

import (
	"context"
	"maps"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// How a sight travels, and when the home is asked.

// sightHere is what this node knows of a session, to travel.
func (s *Sessions) sightHere(of mesh.Session, t *thread) []byte {
	if p := s.here(of); p != nil && p.home != nil {
		known := p.home.sight()
		return known.encode(t.past())
	}
	past := t.past()
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.sight
	if of.Level == mesh.Repeatable {
		known.unsaid = nil // nobody needs them any more
	}
	return known.encode(past)
}

// learnSight takes what sightHere gave on another node.
func (s *Sessions) learnSight(of mesh.Session, raw []byte) error {
	told, past, err := decodeSight(raw)
	if err != nil {
		return err
	}
	s.learnt(of, past)
	p := s.here(of)
	if p != nil && p.home != nil {
		p.home.hear(told.untold(), told.unsaid)
		s.known(of, func(made, _ *madeWrites) bool { made.merge(told.made); return true })
		return nil
	}
	t := s.thread(of)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	t.sight.merge(told)
	t.mu.Unlock()
	if p != nil {
		for key, version := range told.writes { // who asks for one from now on asks the home
			p.forgetBefore(key, version)
		}
	}
	return nil
}

// glance gives the version of a key that the run sees where the home need not be
// asked: what this node has read, or what a stage before has. It is false where the home decides.
func (s *Sessions) glance(ctx context.Context, p *pins, of mesh.Session, key mesh.Key, read local) (now local, decided bool) {
	t := s.thread(of)
	if t == nil {
		return local{}, false
	}
	mine := glance{key: key, version: read.seen.version(), how: read.how, holder: s.cfg.Self}
	t.mu.Lock()
	_, written := t.sight.writes[key]
	first, known := t.sight.read(key)
	switch {
	case written, !known && !(t.sight.room() && mayDecide(of)):
		t.mu.Unlock()
		return local{}, false
	case !known:
		t.sight.look(mine)
		t.mu.Unlock()
		return read, true
	}
	t.mu.Unlock()
	then := first.seen()
	switch {
	case first.version == mine.version:
		read.how = first.how
		return read, true
	case then.isHere():
		return local{seen: &then, here: read.here, how: first.how}, true
	case first.holder == "" || first.holder == s.cfg.Self:
		return local{}, false
	}
	if pinned, err := s.readPinned(ctx, p, first.holder, key, first.version); err == nil && pinned.isHere() {
		return local{seen: &pinned, how: first.how}, true
	}
	if ctx.Err() != nil || !mayDecide(of) {
		return local{}, false
	}
	// It is gone with who had read it. The run goes on with this one, and begins anew in the end.
	t.mu.Lock()
	t.sight.look(mine)
	t.mu.Unlock()
	return read, true
}

// seenAgain notes what a stage sees that another one on this node has read before:
// of that the node may have forgotten all but the version, once its part in the run
// seemed to be over.
func (s *Sessions) seenAgain(p *pins, key mesh.Key, held *pin) {
	if held.written {
		return
	}
	s.know(p, func(t *sight) {
		if _, known := t.read(key); known {
			return
		}
		if _, written := t.writes[key]; !written {
			t.look(glance{key: key, version: held.seen.version(), how: held.how, holder: s.cfg.Self})
		}
	})
}

// mayDecide reports whether who reads in a session may do so first, without the home.
func mayDecide(of mesh.Session) bool {
	return of.Level == mesh.Transactional || of.Place != mesh.Somewhere
}

// telling is what the home is told of with whatever it is asked.
func (s *Sessions) telling(p *pins) (raw []byte, heard func()) {
	t := s.thread(p.of)
	if t == nil {
		return nil, func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	told := sight{reads: t.sight.untold(), made: t.sight.made}
	if told.reads == nil {
		return nil, func() {}
	}
	return told.encode(lattice.Past{}), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.sight.heard(told.reads)
	}
}

// Ask has the home of a transaction decide which version of a key the run sees at
// each first read, where the run goes on from this node: of what is read where
// nobody takes the result the home would not hear.
func (s *Sessions) Ask(of mesh.Session) {
	if of.Level != mesh.Transactional {
		return
	}
	if p := s.here(of); p != nil && p.home != nil {
		p.home.mu.Lock()
		defer p.home.mu.Unlock()
		p.home.asks = true
		return
	}
	if t := s.thread(of); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.sight.asks = true
	}
}

// Settle tells the home of a session what it has read on this node, where no
// result takes that along. At levels that are not Pinned there is nothing to tell.
func (s *Sessions) Settle(ctx context.Context, of mesh.Session) error {
	t, p := s.thread(of), s.here(of)
	if !of.Level.Pinned() || t == nil || p == nil || p.home != nil {
		return nil
	}
	t.mu.Lock()
	untold := t.sight.untold()
	t.mu.Unlock()
	if len(untold) == 0 {
		return nil
	}
	_, err := s.tell(ctx, p, untold[0].key, nil, nil) // asked about one, it hears of all
	return err
}

// Share has a session go on where functions that a stage calls take part: from
// now on the home hears of writes at once, and of what only this node knows that
// was written, and at mesh.Repeatable it decides first reads.
func (s *Sessions) Share(ctx context.Context, of mesh.Session) error {
	t := s.thread(of)
	if !of.Level.Pinned() || t == nil || of.Home == s.cfg.Self {
		return nil
	}
	t.mu.Lock()
	t.sight.shared = true
	t.sight.asks = t.sight.asks || of.Level == mesh.Repeatable
	unsaid := maps.Clone(t.sight.unsaid)
	t.mu.Unlock()
	for key, now := range unsaid {
		p, err := s.pinsOf(ctx, of)
		if err == nil {
			_, err = s.tellWrite(ctx, p, key, &now, &seen{missing: true}, true)
		}
		if err != nil {
			return mesh.AsError("put "+key.String(), err)
		}
		t.mu.Lock()
		t.sight.said(key)
		t.mu.Unlock()
	}
	return nil
}

// keepsWrites reports whether this is the last stage of a run: of what it writes
// the home need not hear, for nobody reads after it.
func (s *Sessions) keepsWrites(p *pins, of mesh.Session) bool {
	return of.Place == mesh.Last && p.home == nil
}

// Bounds of what the last stage of a run at mesh.Transactional tells the home
// with its result. More is told at once.
const (
	maxUnsaid      = 16
	maxUnsaidBytes = 64 << 10
)

// keepWrite notes such a write. It is false once functions take part that the
// stage calls, or where the home has to make the write and these are many.
func (s *Sessions) keepWrite(p *pins, key mesh.Key, next *seen) (kept bool) {
	s.know(p, func(t *sight) {
		many := len(t.unsaid) >= maxUnsaid || t.bytes+next.value.Size() > maxUnsaidBytes
		if kept = !t.shared && !(many && p.of.Level == mesh.Transactional); kept {
			t.leave(key, *next)
		}
	})
	return kept
}

// decided notes which version of a key the home has said that the run sees.
func (s *Sessions) decided(p *pins, key mesh.Key, now *seen, written bool) {
	version := now.version()
	s.know(p, func(t *sight) {
		if written {
			t.wrote(key, version)
		} else if _, known := t.writes[key]; !known {
			t.look(glance{key: key, version: version})
		}
	})
}

// noteWrite notes a write that the home has heard of.
func (s *Sessions) noteWrite(p *pins, key mesh.Key, version uint64) {
	s.know(p, func(t *sight) { t.wrote(key, version) })
}

// know changes what this node knows of a session whose home is elsewhere.
func (s *Sessions) know(p *pins, change func(*sight)) {
	if p.home != nil {
		return
	}
	if t := s.thread(p.of); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		change(&t.sight)
	}
}
