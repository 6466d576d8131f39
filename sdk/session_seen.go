package sdk

import (
	"slices"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// at gives what is known of a key, which is used now. s.mu is held, or nobody
// else has the session yet.
func (s *Session) at(key mesh.Key) *seen {
	at := s.keys[key]
	if at == nil {
		at = &seen{most: s.overflow}
		s.keys[key] = at
	}
	s.uses++
	at.used = s.uses
	return at
}

// inOrder lists the keys, the one used last at the end. s.mu is held.
func (s *Session) inOrder() []mesh.Key {
	keys := make([]mesh.Key, 0, len(s.keys))
	for key := range s.keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b mesh.Key) int { return int(int64(s.keys[a].used - s.keys[b].used)) })
	return keys
}

func (s *Session) has(g Guarantees) bool { return s.guarantees&g != 0 }

// toRead is what a read of a key must see: floor, and, with most, what most owners have.
func (s *Session) toRead(key mesh.Key) (floor lattice.Cell, most bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at(key)
	floor, err = joined(key, when(s.has(MonotonicReads), at.read), when(s.has(ReadYourWrites), at.written))
	return floor, at.most && s.has(MonotonicReads|ReadYourWrites), err
}

// toFollow is what a write of a key must come after, likewise.
func (s *Session) toFollow(key mesh.Key) (after lattice.Cell, most bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at(key)
	after, err = joined(key, when(s.has(WritesFollowReads), at.read), when(s.has(MonotonicWrites), at.written))
	return after, at.most && s.has(WritesFollowReads|MonotonicWrites), err
}

func when(wanted bool, cell lattice.Cell) lattice.Cell {
	if wanted {
		return cell
	}
	return lattice.Cell{}
}

// joined merges two states of a key into one that shares nothing with them.
func joined(key mesh.Key, a, b lattice.Cell) (lattice.Cell, error) {
	both := a.Clone()
	if _, err := both.Merge(b); err != nil {
		return both, mesh.Errorf(mesh.Conflict, "session", "the session and the owners hold %s with different kinds: %w", key, err)
	}
	return both, nil
}

// carries reports whether the session can carry a state.
func carries(cell lattice.Cell) bool {
	return cell.Size() <= 2*maxSeen && len(cell.AppendBinary(nil)) <= maxSeen
}

// sawRead notes what a read gave. confirmed says that most owners hold it. It
// reports false, and notes nothing, if the state is neither that nor small
// enough to carry.
func (s *Session) sawRead(key mesh.Key, cell lattice.Cell, confirmed bool) bool {
	if !s.has(MonotonicReads | WritesFollowReads) {
		return true
	}
	small := carries(cell)
	if !small && !confirmed {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at(key)
	if both, err := joined(key, at.read, cell); small && err == nil && carries(both) {
		at.read = both
		return true
	}
	at.most = at.most || confirmed
	return confirmed
}

// sawWrite notes what an acknowledged write has made. Where that was not told
// most owners hold it. It reports false, and notes nothing, if it is told and
// too large to carry with the rest.
func (s *Session) sawWrite(key mesh.Key, made lattice.Cell, confirmed bool) bool {
	if !s.has(ReadYourWrites | MonotonicWrites) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at(key)
	if made.IsZero() || confirmed {
		at.most = true
		return true
	}
	both, err := joined(key, at.written, made)
	if err != nil || !carries(both) {
		return false
	}
	at.written = both
	return true
}

// sawGone notes that most owners know nothing of a key any more: it was
// deleted, and the mark of that is gone, too.
func (s *Session) sawGone(key mesh.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at(key)
	at.read, at.written = lattice.Cell{}, lattice.Cell{}
}

// oldest gives the key to drop, if there are too many.
func (s *Session) oldest() (key mesh.Key, drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) <= maxSessionKeys {
		return key, false
	}
	used := s.uses + 1
	for k, at := range s.keys {
		if at.used < used {
			key, used = k, at.used
		}
	}
	return key, true
}

// drop forgets a key, of which most owners hold what was seen.
func (s *Session) drop(key mesh.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
	s.overflow = true
}
