package hotkeys

// Stats are figures of a tracker.
type Stats struct {
	Raised int // keys with extra readers, as this node knows
	Copies int // of them served here as an extra reader
	Top    []Counted
}

// Counted is a key that is read more than others here.
type Counted struct {
	Rated
	Extra int // readers beside the owners
}

// Stats gives the figures as of the last period, and the keys that are read
// most, those with the highest rate first.
func (t *Tracker) Stats() Stats {
	t.countMu.Lock()
	top := t.counter.Top()
	t.countMu.Unlock()
	var s Stats
	for _, rated := range top {
		if rated.Rate > 0 {
			s.Top = append(s.Top, Counted{rated, len(t.Readers(rated.Key))})
		}
	}
	if all := t.spread.Load(); all != nil {
		s.Raised = len(*all)
		for _, spread := range *all {
			if spread.here {
				s.Copies++
			}
		}
	}
	return s
}
