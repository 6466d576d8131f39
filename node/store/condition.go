package store

// Condition says what a store may lack since it was opened.
type Condition struct {
	// Unclean: the last run did not end with Close. After a loss of power,
	// writes that were not synced may be lost.
	Unclean bool
	// Refill: the store lost data that it cannot name. It stays so, from run to
	// run, until Refilled is called. Meanwhile a key that is missing here may
	// exist elsewhere.
	Refill bool
	// SetAside is the folder to which a damaged store was moved at the start,
	// so that an empty one could be opened; "" if there was none.
	SetAside string
}

// Condition gives the store's condition.
func (s *Store) Condition() Condition {
	s.identityMu.Lock()
	defer s.identityMu.Unlock()
	return Condition{Unclean: s.unclean, Refill: s.identity.refill, SetAside: s.setAside}
}

// Refilled says that all that was lost has come back from other nodes.
func (s *Store) Refilled() error { return s.setRefill(false) }

// setRefill notes, durably, whether data is lost that cannot be named.
func (s *Store) setRefill(refill bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.identityMu.Lock()
	s.identity.refill = refill
	s.identityMu.Unlock()
	return diskError("note the condition", s.saveRunning())
}
