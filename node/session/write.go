package session

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Write is a write that is made for a session.
type Write struct {
	Key  mesh.Key
	Kind lattice.Kind
	Op   lattice.Op
	// ID is the same for all attempts of the write: a counter counts it once.
	// Empty: there is one attempt.
	ID string
}

// Put lets a session see a write. Once put has made it, the session sees what
// the operation makes of the version that it saw before: of a register what
// was written, of all else the version with that in it. What others write
// meanwhile stays out of sight. A key that the session has not seen is read
// first, unless it is a register.
//
// At a causal level put has the write tell its causes, and says which it was;
// else it is given none. At mesh.Transactional put is not called: the write is
// made with the commit, and must be one that sets a register.
//
// Errors are those of put and of Get. After an error the write may have been
// made without the session seeing it.
func (s *Sessions) Put(ctx context.Context, of mesh.Session, w Write, put func(*Causes) error) error {
	switch {
	case of.Level == mesh.Transactional:
		return s.putLater(ctx, of, w)
	case of.Level.Causal():
		return s.writeCausal(of, put)
	}
	base, blind := seen{missing: true}, w.Kind == lattice.LWWKind
	if !blind {
		var err error
		if base, _, err = s.see(ctx, asking(of), w.Key); err != nil {
			return mesh.AsError("put "+w.Key.String(), err)
		}
		if have := base.value.Kind(); !base.missing && have != w.Kind {
			return mesh.Errorf(mesh.KindMismatch, "put "+w.Key.String(), "%w", &lattice.KindMismatchError{Have: have, Got: w.Kind})
		}
	}
	once := func() error { return put(nil) }
	var err error
	if w.ID == "" {
		err = s.makeOnce(of, madeWrite{w.Key, hashOf(w.Op)}, once)
	} else {
		err = once()
	}
	if err != nil {
		return err
	}
	at := lattice.Write{
		Stamp: s.cfg.Stamp(), Writer: of.ID.String() + "/" + string(s.cfg.Self), Now: time.Now(), ID: lattice.NewWriteID(w.ID),
	}
	return s.wrote(ctx, of, w.Key, base, blind, func(base *seen) (seen, error) { return base.written(w.Kind, w.Op, at) })
}

// asking has the home decide a read of a session: what only a write needs no
// function sees, and where stages beside one another count, none is to begin anew.
func asking(of mesh.Session) mesh.Session {
	if of.Place == mesh.Beside {
		of.Place = mesh.Somewhere
	}
	return of
}

// Delete makes a delete for a session, which sees no such key from then on.
func (s *Sessions) Delete(ctx context.Context, of mesh.Session, key mesh.Key, del func(*Causes) error) error {
	switch {
	case of.Level == mesh.Transactional: // it is made with the commit
	case of.Level.Causal():
		return s.writeCausal(of, del)
	default:
		if err := s.makeOnce(of, madeWrite{key: key}, func() error { return del(nil) }); err != nil {
			return err
		}
	}
	gone := seen{missing: true}
	return s.wrote(ctx, of, key, gone, true, func(*seen) (seen, error) { return gone, nil })
}

// wrote lets the session see what a write made. Where a stage beside this one
// has written the key since the base was seen, it is made of that.
func (s *Sessions) wrote(ctx context.Context, of mesh.Session, key mesh.Key, base seen, blind bool, write func(*seen) (seen, error)) error {
	p, err := s.pinsOf(ctx, of)
	if err != nil {
		return mesh.AsError("put "+key.String(), err)
	}
	release, err := p.takeWriting(ctx, key)
	if err != nil {
		return mesh.AsError("put "+key.String(), err)
	}
	defer release()
	if now, held := p.held(key); held && !blind && s.keepsWrites(p, of) {
		base = now // another call of the stage may have written it since
	}
	for err == nil {
		var next seen
		if next, err = write(&base); err != nil {
			break
		}
		at := p.write(key, next)
		if s.keepsWrites(p, of) && s.keepWrite(p, key, &next) {
			p.land(key, at, next, nil)
			return nil
		}
		var t told
		t, err = s.tellWrite(ctx, p, key, &next, &base, blind)
		switch {
		case err == nil && !t.stale:
			p.land(key, at, next, nil)
			return nil
		case err == nil:
			p.land(key, at, seen{}, errStale)
			base, err = s.obtainLast(ctx, p, key, t.verdict)
		default:
			p.land(key, at, seen{}, err)
		}
	}
	return mesh.AsError("put "+key.String(), err)
}

// errStale is why a write has to be made anew. Nobody is told of it.
var errStale = mesh.Errorf(mesh.Conflict, "session", "another stage has written the key")

func (s *Sessions) tellWrite(ctx context.Context, p *pins, key mesh.Key, next, base *seen, blind bool) (told, error) {
	if p.home != nil {
		return s.judgeWrite(ctx, p, s.cfg.Self, key, next, base, blind)
	}
	inline := inlineBytes
	if p.of.Level == mesh.Transactional {
		inline = math.MaxInt // the home makes the write
	}
	raw, heard := s.telling(p)
	t, err := s.ask(ctx, p, &pb.PinWrite{
		Session: wire.FromSession(p.of), Key: wire.FromKey(key), Written: next.message(inline), Base: base.version(), Blind: blind, Sight: raw,
	})
	if err == nil {
		heard()
		s.noteWrite(p, key, next.version())
	}
	return t, err
}

// judgeWrite is the home's word on a write: it counts if it was made on the
// version that the session sees.
func (s *Sessions) judgeWrite(ctx context.Context, p *pins, from mesh.NodeID, key mesh.Key, next, base *seen, blind bool) (told, error) {
	e, release, err := p.home.take(ctx, key, MaxKeys)
	if err != nil {
		return told{}, err
	}
	defer release()
	if !blind && e.known && e.seen.version() != base.version() {
		return told{stale: true, verdict: s.current(p, e, from)}, nil
	}
	if err := p.home.tx.mayWrite(key, next); err != nil {
		return told{}, err
	}
	if err := s.haveForgotten(ctx, p, e, from, key); err != nil {
		return told{}, err
	}
	e.known, e.seen, e.written = true, *next, true
	p.home.holdAlone(key, e, from)
	return told{}, nil
}

// haveForgotten has all nodes but the writer forget what they hold of a key.
// One that cannot be reached is waited for until it can, or is known to be dead.
func (s *Sessions) haveForgotten(ctx context.Context, p *pins, e *entry, writer mesh.NodeID, key mesh.Key) error {
	others := p.home.others(e, writer)
	failed := make([]error, len(others))
	var all sync.WaitGroup
	for i, node := range others {
		if node == s.cfg.Self {
			p.forget(key, e.seen.version())
			continue
		}
		version := e.seen.version()
		all.Go(func() { failed[i] = s.hasForgotten(ctx, p, e, node, key, version) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetAgain is how long to wait before a node is told once more.
const forgetAgain = 50 * time.Millisecond

func (s *Sessions) hasForgotten(ctx context.Context, p *pins, e *entry, node mesh.NodeID, key mesh.Key, version uint64) error {
	m := &pb.ForgetPinned{Session: wire.FromSession(p.of), Key: wire.FromKey(key), Version: version}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err := s.cfg.Peers.Call(ctx, node, m)
		if err == nil || !p.home.holds(e, node) {
			return nil
		}
		timer.Reset(forgetAgain)
	}
}

// HandlePinWrite answers a node that has written a key for a session of this home.
func (s *Sessions) HandlePinWrite(ctx context.Context, from mesh.NodeID, m *pb.PinWrite) (*pb.PinReply, error) {
	p, key, err := s.atHome(ctx, m.GetSession(), m.GetKey())
	if err != nil {
		return nil, err
	}
	if err := s.Learn(p.of, m.Sight); err != nil {
		return nil, err
	}
	next, err := parseSeen(m.GetWritten())
	if err != nil {
		return nil, err
	}
	t, err := s.judgeWrite(ctx, p, from, key, &next, &seen{hash: m.Base, missing: m.Base == 0}, m.Blind)
	if err != nil {
		return nil, err
	}
	if !t.stale {
		return &pb.PinReply{Seen: &pb.Seen{Version: next.version()}}, nil
	}
	return t.message(nil), nil
}
