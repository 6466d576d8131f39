package session

import (
	"cmp"
	"context"
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
	reads := map[mesh.Key]*entry{}
	var writes []txn.Write
	err := h.takeAll(ctx, func(key mesh.Key, e *entry) {
		if e.read != nil {
			reads[key] = &entry{read: e.read}
		}
		if e.written {
			payload, _ := e.seen.value.Payload()
			writes = append(writes, txn.Write{Key: key, Value: payload, Deletes: e.seen.missing})
		}
	})
	if err == nil {
		err = cmp.Or(h.verify(), h.refusal())
	}
	if err != nil {
		return mesh.AsError("commit", err)
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
