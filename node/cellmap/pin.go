package cellmap

import "github.com/virga-mesh/virga/mesh"

// Pin keeps the cell in the map until it has been taken (Take, TakePinned) and
// is done (Done), and reports whether it was not pinned already. If it weighs,
// all its bytes count to PinnedBytes meanwhile.
func (l *Locked[M]) Pin(weighs bool) (anew bool) {
	e := l.entry
	if e.state&pinned != 0 {
		return false
	}
	e.state |= pinned
	if weighs {
		e.state |= weighed
		l.m.pinned.Add(l.bytes)
	}
	if e.state&listed == 0 {
		e.state |= listed
		l.s.pins = append(l.s.pins, l.number)
	}
	return true
}

// Pinned reports whether there is a cell and it is pinned, and was not taken since.
func (l *Locked[M]) Pinned() bool { return l.entry != nil && l.entry.state&pinned != 0 }

// Take takes the cell, if it is pinned: it stays in the map until Done, and
// may be pinned anew meanwhile. Who takes cells of a shard sees to it that
// nobody else does, and that none of them is removed, before they are done.
func (l *Locked[M]) Take(taken []Taken) []Taken {
	if !l.Pinned() {
		return taken
	}
	l.Unpin()
	l.entry.state |= leaving
	return append(taken, Taken{l.shard, l.number})
}

// Hold takes the cell, which is not pinned, like Take.
func (l *Locked[M]) Hold(taken []Taken) []Taken {
	l.entry.state |= leaving
	return append(taken, Taken{l.shard, l.number})
}

// Taken is a cell that was taken and is not done.
type Taken struct {
	shard  int
	number uint32
}

// PinnedBytes is the memory that the pinned cells take which weigh.
func (m *Map[M]) PinnedBytes() int64 { return m.pinned.Load() }

// Pins is how many cells of a shard are pinned, at most.
func (m *Map[M]) Pins(shard int) int {
	s := &m.shards[shard]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.pins)
}

// TakePinned takes a shard's pinned cells, those first that were pinned first,
// and gives each to visit before it is taken, until that returns false. It
// looks at up to most, and says at how many. Others of the shard wait meanwhile.
func (m *Map[M]) TakePinned(shard, most int, taken []Taken, visit func(*Locked[M]) (more bool)) (_ []Taken, looked int) {
	s := &m.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for more := true; more && looked < min(most, len(s.pins)); looked++ {
		n := s.pins[looked]
		e := s.at(n)
		e.state &^= listed
		if e.state&pinned == 0 {
			continue
		}
		l := Locked[M]{m: m, s: s, key: m.keyOf(e), shard: shard, entry: e, number: n, bytes: m.sizeOf(e)}
		more = visit(&l)
		taken = l.Take(taken)
	}
	s.pins = s.pins[looked:]
	if len(s.pins) == 0 {
		s.pins = nil // it may have been long
	}
	return taken, looked
}

// Done says that cells that were taken may be forgotten, if they were not
// pinned since.
func (m *Map[M]) Done(taken []Taken) {
	for len(taken) > 0 {
		taken = m.doneInShard(taken)
	}
}

// doneInShard is Done for the first of the cells, and those after it in the
// same shard. It gives the others.
func (m *Map[M]) doneInShard(taken []Taken) (left []Taken) {
	first := taken[0].shard
	s := &m.shards[first]
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(taken) > 0 && taken[0].shard == first {
		s.at(taken[0].number).state &^= leaving
		taken = taken[1:]
	}
	return taken
}

// EachPinned calls visit with the keys of all pinned cells and what stands
// beside them. It must be short, and must not call the map.
func (m *Map[M]) EachPinned(visit func(mesh.Key, M)) {
	for i := range m.shards {
		m.eachPinned(&m.shards[i], visit)
	}
}

func (m *Map[M]) eachPinned(s *shard[M], visit func(mesh.Key, M)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.pins {
		if e := s.at(n); e.state&pinned != 0 {
			visit(m.keyOf(e), e.meta)
		}
	}
}

// Unpin takes back that the cell is pinned, if it is.
func (l *Locked[M]) Unpin() {
	if !l.Pinned() {
		return
	}
	l.account()
	if l.entry.state&weighed != 0 {
		l.m.pinned.Add(-l.bytes)
	}
	l.entry.state &^= pinned | weighed
}
