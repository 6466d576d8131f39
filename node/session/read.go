package session

import (
	"context"
	"math"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// inlineBytes is how large a value may be that a node tells the home with its
// version: so small that it costs nothing, and that it is not lost with the node.
const inlineBytes = 1 << 10

// Get reads a key for a session: the version that the session sees, or, if it
// has not seen the key, what this node reads. It tells whether that was on
// this node. The value must not be changed.
//
// Errors: NotFound where the session sees no such key, also if it exists by
// now; Unavailable where the version is gone with the nodes that held it, or
// the session's home cannot be reached; those of the read.
func (s *Sessions) Get(ctx context.Context, of mesh.Session, key mesh.Key) (value lattice.Value, here bool, err error) {
	if !of.Level.Pinned() {
		return s.getCausal(ctx, of, key)
	}
	now, here, err := s.see(ctx, of, key)
	switch {
	case err != nil:
		return lattice.Value{}, here, mesh.AsError("get "+key.String(), err)
	case now.missing:
		return lattice.Value{}, here, mesh.Errorf(mesh.NotFound, "get "+key.String(), "no such key")
	}
	return now.value, here, nil
}

func (s *Sessions) see(ctx context.Context, of mesh.Session, key mesh.Key) (now seen, here bool, err error) {
	p, err := s.pinsOf(ctx, of)
	if err != nil {
		return seen{}, false, err
	}
	for {
		at, first, err := p.pin(key, MaxKeys)
		if err != nil {
			return seen{}, false, err
		}
		if first {
			now, at.how, here, err = s.find(ctx, p, of, key)
			p.land(key, at, now, err)
			return now, here, err
		}
		if held := p.holds(key); held != nil {
			s.seenAgain(p, key, held)
			return held.seen, true, nil
		}
		select {
		case <-at.landed:
		case <-ctx.Done():
			return seen{}, false, ctx.Err()
		}
		if !gaveUp(at.err) && !(at.written && at.err != nil) {
			return at.seen, true, at.err
		}
	}
}

// gaveUp reports whether the error is that of another caller who did not wait.
func gaveUp(err error) bool {
	if err == nil {
		return false
	}
	kind := mesh.KindOf(err)
	return kind == mesh.Cancelled || kind == mesh.DeadlineExceeded
}

// find reads a key, and asks the home whether that is what the session sees.
// Where the key cannot be read here, the home may still know a version.
func (s *Sessions) find(ctx context.Context, p *pins, of mesh.Session, key mesh.Key) (now seen, how *reading, here bool, err error) {
	read, readErr := s.readHere(ctx, p, key)
	if p.home == nil && read.seen != nil {
		if read, decided := s.glance(ctx, p, of, key, read); decided {
			s.saw(of, read)
			return *read.seen, read.how, read.here, nil
		}
	}
	reply, err := s.tell(ctx, p, key, read.seen, read.how)
	switch {
	case err != nil && readErr != nil && mesh.KindOf(err) == mesh.NotFound:
		return seen{}, nil, false, readErr
	case err != nil:
		return seen{}, nil, false, err
	case reply.same:
		s.saw(of, read)
		s.decided(p, key, read.seen, reply.written)
		return *read.seen, read.how, read.here, nil
	}
	if now, err = s.obtainLast(ctx, p, key, reply.verdict); err == nil {
		s.decided(p, key, &now, reply.written)
	}
	return now, nil, false, err
}

// obtainLast is obtain, or gives the version that took the place of that one
// before it could be had.
func (s *Sessions) obtainLast(ctx context.Context, p *pins, key mesh.Key, v verdict) (seen, error) {
	for {
		now, err := s.obtain(ctx, p, key, v)
		if err == nil || ctx.Err() != nil {
			return now, err
		}
		reply, askErr := s.tell(ctx, p, key, nil, nil)
		if askErr != nil || reply.seen.version() == v.seen.version() {
			return now, err
		}
		v = reply.verdict
	}
}

// verdict is what the home says of a key.
type verdict struct {
	seen    seen
	written bool // by the run itself
	holders []mesh.NodeID
}

// told is what the home answers.
type told struct {
	verdict
	same  bool         // as what the node has read
	stale bool         // is the base of what it has written
	past  lattice.Past // what the session has seen; of a transaction
}

// obtain gets a version from who holds it, unless it came with the verdict.
func (s *Sessions) obtain(ctx context.Context, p *pins, key mesh.Key, v verdict) (seen, error) {
	if v.seen.isHere() {
		return v.seen, nil
	}
	if own, ok := p.version(key, v.seen.version()); ok {
		return own, nil // another stage on this node has just written it
	}
	var last error
	for _, node := range v.holders {
		if node == s.cfg.Self {
			continue
		}
		found, err := s.readPinned(ctx, p, node, key, v.seen.hash)
		if err == nil && found.isHere() {
			return found, nil
		}
		last = err
	}
	if ctx.Err() != nil {
		return seen{}, ctx.Err()
	}
	return seen{}, mesh.Errorf(mesh.Unavailable, "", "the version that the run has seen is gone with the nodes that held it: %v", last)
}

// readPinned asks a node for a version of a key that it holds.
func (s *Sessions) readPinned(ctx context.Context, p *pins, node mesh.NodeID, key mesh.Key, version uint64) (seen, error) {
	reply, err := s.cfg.Peers.Call(ctx, node, &pb.ReadPinned{Session: wire.FromSession(p.of), Key: wire.FromKey(key), Version: version})
	if err != nil {
		return seen{}, err
	}
	m, ok := reply.(*pb.Seen)
	if !ok {
		return seen{}, mesh.Errorf(mesh.Internal, "", "node %s answered with %T: expected %T", node.Short(), reply, m)
	}
	return parseSeen(m)
}

// tell tells the home what was read of a key, and how; nil: nothing could be.
func (s *Sessions) tell(ctx context.Context, p *pins, key mesh.Key, read *seen, how *reading) (told, error) {
	if p.home != nil {
		t, err := s.judge(ctx, p, s.cfg.Self, key, read, how)
		s.learnt(p.of, t.past)
		return t, err
	}
	m := &pb.PinRead{Session: wire.FromSession(p.of), Key: wire.FromKey(key)}
	if read != nil {
		m.Read = read.message(inlineBytes)
		how.addTo(m)
	}
	raw, heard := s.telling(p)
	m.Sight = raw
	reply, err := s.ask(ctx, p, m)
	if err != nil {
		return told{}, err
	}
	heard()
	s.learnt(p.of, reply.past)
	reply.same = read != nil && reply.seen.hash == read.version()
	return reply, nil
}

// ask asks the home.
func (s *Sessions) ask(ctx context.Context, p *pins, m wire.Message) (told, error) {
	answer, err := s.cfg.Peers.Call(ctx, p.of.Home, m)
	if err != nil {
		return told{}, err
	}
	reply, ok := answer.(*pb.PinReply)
	if !ok {
		return told{}, mesh.Errorf(mesh.Internal, "", "node %s answered with %T: expected %T", p.of.Home.Short(), answer, reply)
	}
	now, err := parseSeen(reply.GetSeen())
	if err != nil {
		return told{}, err
	}
	t := told{verdict: verdict{seen: now, written: reply.Written}, stale: reply.Stale}
	if t.past, err = parsePast(reply.Past); err != nil {
		return told{}, err
	}
	if err := s.Learn(p.of, reply.Sight); err != nil {
		return told{}, err
	}
	for _, node := range reply.Holders {
		t.holders = append(t.holders, mesh.NodeID(node))
	}
	return t, nil
}

// judge is the home's word on what a node has read: the first read counts.
func (s *Sessions) judge(ctx context.Context, p *pins, from mesh.NodeID, key mesh.Key, read *seen, how *reading) (told, error) {
	if err := s.readAhead(ctx, p); err != nil {
		return told{}, err
	}
	t, err := s.firstCounts(ctx, p, from, key, read, how)
	t.past = p.home.tx.seen()
	return t, err
}

func (s *Sessions) firstCounts(ctx context.Context, p *pins, from mesh.NodeID, key mesh.Key, read *seen, how *reading) (told, error) {
	e, release, err := p.home.take(ctx, key, MaxKeys)
	if err != nil {
		return told{}, err
	}
	defer release()
	switch {
	case !e.known && read == nil:
		return told{}, mesh.Errorf(mesh.NotFound, "", "the session has not seen the key")
	case !e.known:
		e.known, e.seen = true, *read
		e.readFirst(*read, how.of(read))
		p.home.tx.saw(how)
		p.home.hold(e, from)
		return told{same: true}, nil
	}
	same := read != nil && e.seen.version() == read.version()
	if same && !e.seen.isHere() && read.isHere() {
		e.seen = *read
	}
	if read != nil && read.isHere() && e.read != nil && e.read.version == read.version() {
		e.first = *read
	}
	t := told{same: same, verdict: s.current(p, e, from)}
	p.home.hold(e, from)
	return t, nil
}

// current is what the session sees of a key, for a node that may not hold it.
// In the turn of e.
func (s *Sessions) current(p *pins, e *entry, but mesh.NodeID) verdict {
	e.seen.version()
	v := verdict{seen: e.seen, written: e.written}
	if !v.seen.isHere() {
		v.holders = p.home.others(e, but)
	}
	return v
}

// HandlePinRead answers a node that has read a key for a session of this home.
func (s *Sessions) HandlePinRead(ctx context.Context, from mesh.NodeID, m *pb.PinRead) (*pb.PinReply, error) {
	p, key, err := s.atHome(ctx, m.GetSession(), m.GetKey())
	if err != nil {
		return nil, err
	}
	if err := s.Learn(p.of, m.Sight); err != nil {
		return nil, err
	}
	var read *seen
	if m.Read != nil {
		parsed, err := parseSeen(m.Read)
		if err != nil {
			return nil, err
		}
		read = &parsed
	}
	how, err := parseReading(p.of, m)
	if err != nil {
		return nil, err
	}
	t, err := s.judge(ctx, p, from, key, read, how)
	if err != nil {
		return nil, err
	}
	reply := t.message(read)
	if t.written {
		reply.Sight = p.home.sight().encode(lattice.Past{})
	}
	return reply, nil
}

// message is the answer to who has read a version, or written one; nil: none.
func (t *told) message(read *seen) *pb.PinReply {
	m := &pb.PinReply{Stale: t.stale, Past: encodePast(t.past), Written: t.written}
	if t.same {
		m.Seen = &pb.Seen{Version: read.version()}
		return m
	}
	m.Seen = t.seen.message(math.MaxInt)
	for _, node := range t.holders {
		m.Holders = append(m.Holders, []byte(node))
	}
	return m
}

// atHome finds a session of this home.
func (s *Sessions) atHome(ctx context.Context, session *pb.RunSession, k *pb.Key) (*pins, mesh.Key, error) {
	of, key, err := named(session, k)
	if err != nil {
		return nil, key, err
	}
	if of.Home != s.cfg.Self {
		return nil, key, mesh.Errorf(mesh.Invalid, "session", "its home is %s: expected %s", of.Home, s.cfg.Self)
	}
	p, err := s.pinsOf(ctx, of)
	return p, key, err
}

func named(session *pb.RunSession, k *pb.Key) (of mesh.Session, key mesh.Key, err error) {
	if of, err = wire.ToSession(session); err == nil {
		key, err = wire.ToKey(k)
	}
	if err == nil && of.IsZero() {
		err = mesh.Errorf(mesh.Invalid, "session", "none is named")
	}
	return of, key, err
}

// HandleReadPinned gives a version that this node holds, or NotFound.
func (s *Sessions) HandleReadPinned(m *pb.ReadPinned) (*pb.Seen, error) {
	of, key, err := named(m.GetSession(), m.GetKey())
	if err != nil {
		return nil, err
	}
	if p := s.here(of); p != nil {
		if now, ok := p.version(key, m.Version); ok {
			return now.message(math.MaxInt), nil
		}
	}
	return nil, mesh.Errorf(mesh.NotFound, "session", "version %x of key %s is not held here", m.Version, key)
}

// here gives what is here of a session, if anything.
func (s *Sessions) here(of mesh.Session) *pins {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[of.ID]
}

// HandleForgetPinned forgets what is held of a key that was written.
func (s *Sessions) HandleForgetPinned(m *pb.ForgetPinned) error {
	of, key, err := named(m.GetSession(), m.GetKey())
	if err != nil {
		return err
	}
	if p := s.here(of); p != nil {
		s.noteWrite(p, key, 0) // of a version that the home knows
		p.forget(key, m.Version)
	}
	return nil
}
