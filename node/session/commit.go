package session

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/txn"
)

// Commit ends the reads and writes of a run at mesh.Transactional, and makes
// its writes. mesh.Conflict says that what the run has read is of no one
// moment: nothing was made. After other errors of the commit itself the writes
// may take effect, all of them. At other levels there is nothing to do.
func (s *Sessions) Commit(ctx context.Context, in mesh.Session) error {
	if in.Level != mesh.Transactional {
		return nil
	}
	p := s.here(in)
	if p == nil || p.home == nil {
		return errOver()
	}
	h := p.home
	h.tx.seal()
	h.mu.Lock()
	for key := range h.heard {
		if h.keys[key] == nil {
			h.keys[key] = &entry{turn: make(chan struct{}, 1)}
		}
	}
	entries := maps.Clone(h.keys)
	h.mu.Unlock()
	reads := map[mesh.Key]*entry{}
	var writes []txn.Write
	for key, e := range entries {
		select { // what was under way has ended then; nothing else begins
		case e.turn <- struct{}{}:
			h.takeUp(key, e)
			<-e.turn
		case <-ctx.Done():
			return mesh.AsError("commit", ctx.Err())
		}
		if e.read != nil {
			reads[key] = &entry{read: e.read}
		}
		if e.written {
			payload, _ := e.seen.value.Payload()
			writes = append(writes, txn.Write{Key: key, Value: payload, Deletes: e.seen.missing})
		}
	}
	if torn := h.tx.tornKeys(); len(torn) > 0 {
		return mesh.Errorf(mesh.Conflict, "commit", "stages beside one another have read %d keys, such as %s, in different versions", len(torn), torn[0])
	}
	changed, err := s.agree(ctx, h.tx, reads)
	if err != nil {
		return mesh.AsError("commit", err)
	}
	if len(changed) > 0 {
		return mesh.Errorf(mesh.Conflict, "commit", "the run has read %d keys, such as %s, in versions that are of no one moment", len(changed), changed[0])
	}
	if len(writes) == 0 {
		return nil
	}
	slices.SortFunc(writes, func(a, b txn.Write) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	past := h.tx.seen()
	if t := s.thread(in); t != nil {
		t.mu.Lock()
		past = past.Join(t.need).Join(t.holds)
		t.mu.Unlock()
	}
	return s.cfg.Commit(ctx, writes, past)
}

// Again ends a run's session after a Conflict, in any case, and begins another
// one that reads first, as of one moment, what the run had read.
func (s *Sessions) Again(in mesh.Session) (mesh.Session, error) {
	first, open := s.haveRead(in)
	s.End(in)
	if !open {
		return mesh.Session{}, errOver()
	}
	of := mesh.NewSession(in.Level, s.cfg.Self)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(); err != nil {
		return mesh.Session{}, err
	}
	s.begin(of, newTransaction(first))
	return of, nil
}

// haveRead gives the keys that a transaction of this home has read.
func (s *Sessions) haveRead(in mesh.Session) (keys []mesh.Key, open bool) {
	p := s.here(in)
	if p == nil || p.home == nil || p.home.tx == nil {
		return nil, false
	}
	p.home.mu.Lock()
	defer p.home.mu.Unlock()
	for key, e := range p.home.keys {
		if e.read != nil {
			keys = append(keys, key)
		}
	}
	return keys, true
}
