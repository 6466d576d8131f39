package check

import (
	"cmp"
	"math/bits"
	"slices"
)

// past says which writes happened before each event, if events of one thread
// have each other in their past, in the order of time.
type past struct {
	events []Event
	writes []int            // events that are writes
	at     map[int]int      // of those, the places in writes
	source map[version]int  // who wrote a version
	byKey  map[string][]int // writes of a key
	before []set            // by event: places in writes
	whole  map[string]set   // by transaction: what it wrote, and what happened before any of its events
	own    map[string]set   // by run with transactions: what it wrote
}

type version struct{ key, name string }

// set is a set of small numbers.
type set []uint64

func (s set) has(i int) bool { return s[i/64]>>(i%64)&1 == 1 }

// add reports whether the set grew.
func (s set) add(i int) bool {
	old := s[i/64]
	s[i/64] |= 1 << (i % 64)
	return s[i/64] != old
}

func (s set) addAll(other set) (grew bool) { return s.addAllBut(other, nil) }

func (s set) addAllBut(other, but set) (grew bool) {
	for i, word := range other {
		if but != nil {
			word &^= but[i]
		}
		if word&^s[i] != 0 {
			s[i] |= word
			grew = true
		}
	}
	return grew
}

// each calls f with the members until that is false.
func (s set) each(f func(int) bool) {
	for i, word := range s {
		for word != 0 {
			if !f(i*64 + bits.TrailingZeros64(word)) {
				return
			}
			word &= word - 1
		}
	}
}

// newPast works it out. thread names the thread of an event.
func newPast(events []Event, thread func(*Event) string) *past {
	p := &past{events: events, at: map[int]int{}, source: map[version]int{}, byKey: map[string][]int{}, whole: map[string]set{}, own: map[string]set{}}
	for i, e := range events {
		if e.Writes {
			p.at[i] = len(p.writes)
			p.writes = append(p.writes, i)
			p.source[version{e.Key, e.Version}] = i
			p.byKey[e.Key] = append(p.byKey[e.Key], i)
		}
	}
	words := (len(p.writes) + 63) / 64
	p.before = make([]set, len(events))
	for i := range p.before {
		p.before[i] = make(set, words)
		if events[i].Transaction != "" {
			p.transaction(i, words)
		}
	}
	threads := threadsOf(events, thread)
	for grew := true; grew; { // twice, mostly
		grew = false
		for _, of := range threads {
			grew = p.along(of, words) || grew
		}
	}
	return p
}

// transaction begins what is known of the transaction of an event.
func (p *past) transaction(i, words int) {
	e := &p.events[i]
	if p.whole[e.Transaction] == nil {
		p.whole[e.Transaction] = make(set, words)
	}
	if p.own[e.Run] == nil {
		p.own[e.Run] = make(set, words)
	}
	if e.Writes {
		p.whole[e.Transaction].add(p.at[i])
		p.own[e.Run].add(p.at[i])
	}
}

// threadsOf gives the events of each thread in the order in which they began, first
// the thread that was the first to begin its last event: so that who is read comes
// before who reads, mostly.
func threadsOf(events []Event, thread func(*Event) string) (threads [][]int) {
	byName := map[string][]int{}
	for i := range events {
		name := thread(&events[i])
		byName[name] = append(byName[name], i)
	}
	inTime := func(a, b int) int { return cmp.Compare(events[a].Began, events[b].Began) }
	for _, of := range byName {
		slices.SortStableFunc(of, inTime)
		threads = append(threads, of)
	}
	slices.SortFunc(threads, func(a, b []int) int { return inTime(a[len(a)-1], b[len(b)-1]) })
	return threads
}

// along lets each event of a thread know what those before it do, and what it
// has read; of is in the order in which they began.
func (p *past) along(of []int, words int) (grew bool) {
	ended := slices.DeleteFunc(slices.Clone(of), func(i int) bool { return p.events[i].Ended == 0 })
	slices.SortStableFunc(ended, func(a, b int) int { return int(min(max(p.events[a].Ended-p.events[b].Ended, -1), 1)) })
	known := make(set, words)
	for _, i := range of {
		for len(ended) > 0 && p.events[ended[0]].before(&p.events[i]) {
			p.effects(ended[0], known)
			ended = ended[1:]
		}
		if e := &p.events[i]; e.Ordered || e.Execution != "" {
			grew = p.orderedBefore(of, i, words) || grew
		} else {
			grew = p.before[i].addAll(known) || grew
		}
		if source, ok := p.read(i); ok {
			grew = p.before[i].addAll(p.before[source]) || grew
			grew = p.before[i].add(p.at[source]) || grew
			if p.together(i, source) {
				grew = p.before[i].addAll(p.whole[p.events[source].Transaction]) || grew
			}
		}
		if e := &p.events[i]; e.Transaction != "" {
			grew = p.whole[e.Transaction].addAll(p.before[i]) || grew
			if e.Writes { // it is made in the end, after all that was read
				grew = p.before[i].addAllBut(p.whole[e.Transaction], p.own[e.Run]) || grew
			}
		}
	}
	return grew
}

// together reports whether a read sees with what it read all else that the
// writer's transaction did: if it is part of another one.
func (p *past) together(read, source int) bool {
	r, w := &p.events[read], &p.events[source]
	return r.Transaction != "" && w.Transaction != "" && r.Run != w.Run
}

// comesWith gives what else who sees a write must see: places in writes.
func (p *past) comesWith(read, source int) set {
	if p.together(read, source) {
		return p.whole[p.events[source].Transaction]
	}
	return p.before[source]
}

// orderedBefore lets an event know what those of its thread do that it follows.
func (p *past) orderedBefore(of []int, i, words int) (grew bool) {
	known := make(set, words)
	for _, j := range of {
		if p.events[i].follows(&p.events[j]) {
			p.effects(j, known)
		}
	}
	return p.before[i].addAll(known)
}

// effects adds what an event lets those know that come after it.
func (p *past) effects(i int, known set) {
	known.addAll(p.before[i])
	if p.events[i].Writes {
		known.add(p.at[i])
	}
}

// read gives who wrote what an event read.
func (p *past) read(i int) (source int, ok bool) {
	e := &p.events[i]
	if e.Writes || e.Version == "" {
		return 0, false
	}
	source, ok = p.source[version{e.Key, e.Version}]
	return source, ok
}

// happenedBefore reports whether a write came before an event.
func (p *past) happenedBefore(write, event int) bool { return p.before[event].has(p.at[write]) }

// older reports whether a write was replaced by another of its key: who wrote
// that knew it, or it has the higher stamp.
func (p *past) older(write, than int) bool {
	a, b := &p.events[write], &p.events[than]
	if write == than {
		return false
	}
	return p.happenedBefore(write, than) || a.Stamp > 0 && b.Stamp > a.Stamp
}

// replaced gives a write in the past of an event that is newer than what the
// event read; false if there is none.
func (p *past) replaced(i int) (newer int, yes bool) {
	for _, w := range p.byKey[p.events[i].Key] {
		if p.happenedBefore(w, i) && p.misses(i, w) {
			return w, true
		}
	}
	return 0, false
}

// misses reports whether a read gave what is older than a write of its key: an
// older version, or nothing though nothing can have deleted it. Of what nobody
// wrote it is not known how old it is.
func (p *past) misses(read, write int) bool {
	if source, found := p.read(read); found {
		return p.older(source, write)
	}
	return p.events[read].Version == "" && !p.events[write].Deletes && !p.deletedSince(write)
}

// deletedSince reports whether a delete may have come after a write of its key.
func (p *past) deletedSince(write int) bool {
	return slices.ContainsFunc(p.byKey[p.events[write].Key], func(d int) bool { return p.events[d].Deletes && !p.older(d, write) })
}
