package session

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
)

// Stages beside one another ask nobody about what they read. If two of them have
// read two versions of a key the run begins anew, in another session, whose home
// decides each first read: so that does not happen twice. A run at mesh.Repeatable
// reads then what it had read, also where it has overwritten that since: what
// it makes of it, it makes once.

// Verify reports a mesh.Conflict where a session of this home has read two
// versions of a key.
func (s *Sessions) Verify(ctx context.Context, in mesh.Session) error {
	p := s.here(in)
	if p == nil || p.home == nil {
		return errOver()
	}
	if err := p.home.takeAll(ctx, func(mesh.Key, *entry) {}); err != nil {
		return mesh.AsError("session", err)
	}
	return p.home.verify()
}

// Agrees reports whether Verify finds nothing, and that without waiting.
func (s *Sessions) Agrees(in mesh.Session) bool {
	p := s.here(in)
	return p != nil && p.home != nil && p.home.takeHeard() && p.home.verify() == nil
}

func (h *home) verify() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.torn) == 0 {
		return nil
	}
	return mesh.Errorf(mesh.Conflict, "session", "stages beside one another have read %d keys, such as %s, in different versions", len(h.torn), h.torn[0])
}

// refusal is why something that the run has written cannot be made.
func (h *home) refusal() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused
}

// takeAll takes up what was heard of all keys, once what is under way has ended,
// and visits each in its turn.
func (h *home) takeAll(ctx context.Context, visit func(mesh.Key, *entry)) error {
	for key, e := range h.entries() {
		select {
		case e.turn <- struct{}{}:
			h.takeUp(key, e)
			visit(key, e)
			<-e.turn
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// takeHeard is takeAll for who must not wait. False: something is under way.
func (h *home) takeHeard() bool {
	for key, e := range h.entriesHeard() {
		select {
		case e.turn <- struct{}{}:
			h.takeUp(key, e)
			<-e.turn
		default:
			return false
		}
	}
	return true
}

// entries gives those of all keys, also of such as were only heard of.
func (h *home) entries() map[mesh.Key]*entry {
	h.entriesHeard()
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.keys)
}

// entriesHeard gives those of the keys of which something has been heard that is not taken up.
func (h *home) entriesHeard() map[mesh.Key]*entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	heard := map[mesh.Key]*entry{}
	for _, key := range slices.Concat(slices.Collect(maps.Keys(h.heard)), slices.Collect(maps.Keys(h.later))) {
		if h.keys[key] == nil {
			h.keys[key] = &entry{turn: make(chan struct{}, 1)}
		}
		heard[key] = h.keys[key]
	}
	return heard
}

// Again ends a run's session after a Conflict, in any case, and begins another
// one of the same level, whose home is asked about first reads. At
// mesh.Transactional that reads first, as of one moment, what the run had read;
// at mesh.Repeatable it sees what the run saw first.
func (s *Sessions) Again(ctx context.Context, in mesh.Session) (mesh.Session, error) {
	p := s.here(in)
	if p == nil || p.home == nil {
		s.End(in)
		return mesh.Session{}, errOver()
	}
	next := &home{keys: map[mesh.Key]*entry{}, asks: true}
	had, err := p.home.haveRead(ctx)
	switch {
	case err != nil:
	case in.Level == mesh.Transactional:
		next.tx = newTransaction(slices.Collect(maps.Keys(had)))
	default:
		next.keys, err = s.firstVersions(ctx, p, had)
		next.done = p.home.allMade()
	}
	s.End(in)
	if err != nil {
		return mesh.Session{}, mesh.AsError("session", err)
	}
	of := mesh.NewSession(in.Level, s.cfg.Self)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(); err != nil {
		return mesh.Session{}, err
	}
	s.begin(of, next)
	return of, nil
}

// haveRead gives what the run has first seen of each key that it has read. Where a
// stage has failed others may still be reading.
func (h *home) haveRead(ctx context.Context) (map[mesh.Key]seen, error) {
	had := map[mesh.Key]seen{}
	err := h.takeAll(ctx, func(key mesh.Key, e *entry) {
		if e.read != nil {
			had[key] = e.first
		}
	})
	return had, err
}

// Bounds of what is brought to the home of a run that begins anew.
const (
	fetchers  = 16
	maxFirsts = 64 << 20 // bytes
)

// firstVersions gives what a run had first seen of keys, with its value. What is gone with the nodes that held it is left out: it is read anew.
func (s *Sessions) firstVersions(ctx context.Context, p *pins, had map[mesh.Key]seen) (map[mesh.Key]*entry, error) {
	firsts, bytes := map[mesh.Key]*entry{}, 0
	var mu sync.Mutex
	fetching, ctx := errgroup.WithContext(ctx)
	fetching.SetLimit(fetchers)
	for key, first := range had {
		fetching.Go(func() error {
			first, found := s.obtainFirst(ctx, p, key, first)
			mu.Lock()
			defer mu.Unlock()
			if bytes += first.value.Size(); bytes > maxFirsts {
				return mesh.Errorf(mesh.Conflict, "", "the run cannot begin anew: it has read more than %d MiB: expected less where stages beside one another read keys that change", maxFirsts>>20)
			}
			if found {
				e := &entry{turn: make(chan struct{}, 1), known: true, seen: first}
				e.readFirst(first, nil)
				firsts[key] = e
			}
			return nil
		})
	}
	return firsts, fetching.Wait()
}

// obtainFirst gives a version that the run has seen first with its value.
func (s *Sessions) obtainFirst(ctx context.Context, p *pins, key mesh.Key, first seen) (seen, bool) {
	if first.isHere() {
		return first, true
	}
	if own, ok := p.version(key, first.version()); ok {
		return own, true
	}
	for _, node := range p.home.everyone(s.cfg.Self) {
		if found, err := s.readPinned(ctx, p, node, key, first.version()); err == nil && found.isHere() {
			return found, true
		}
	}
	return seen{}, false
}
