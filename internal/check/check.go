package check

import (
	"maps"
	"slices"

	"github.com/virga-mesh/virga/mesh"
)

// mostOfAKind bounds the violations that are told of one kind.
const mostOfAKind = 100

// Check looks for anomalies of some kinds, and gives those that it finds: of
// each kind at most a hundred. An error, mesh.Invalid, says that events are no history.
func Check(events []Event, kinds ...Anomaly) ([]Violation, error) {
	found, _, err := Tally(events, kinds...)
	return found, err
}

// Tally is Check, and counts by kind all that there are.
func Tally(events []Event, kinds ...Anomaly) (found []Violation, counts map[Anomaly]int, err error) {
	if err := validate(events); err != nil {
		return nil, nil, err
	}
	c := &checker{events: events}
	counts = map[Anomaly]int{}
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		c.found, c.count = nil, 0
		c.look(kind)
		found = append(found, c.found...)
		counts[kind] = c.count
	}
	return found, counts, nil
}

// Anomalies gives all kinds.
func Anomalies() []Anomaly {
	all := make([]Anomaly, len(anomalies))
	for i := range all {
		all[i] = Anomaly(i)
	}
	return all
}

// Forbidden gives what a level forbids. What is read by one stage is a cut from
// causal-cut on; causal-cut has nothing to say of reads of several stages.
func Forbidden(level mesh.Consistency) []Anomaly {
	kinds := []Anomaly{Unwritten, Lost}
	switch level {
	case mesh.Repeatable:
		kinds = append(kinds, NonRepeatable)
	case mesh.CausalKey:
		kinds = append(kinds, StaleKey)
	case mesh.CausalCut:
		kinds = append(kinds, StaleCut)
	case mesh.CausalSession:
		kinds = append(kinds, NonMonotonic, Overwritten, StaleKey, StaleCut, StaleSession, Cycle)
	case mesh.Transactional:
		kinds = append(Forbidden(mesh.CausalSession), NonRepeatable, Fractured, Torn)
	}
	return kinds
}

type checker struct {
	events   []Event
	sessions *past // once it is needed
	found    []Violation
	count    int // of the kind that is looked for
}

func (c *checker) look(kind Anomaly) {
	switch kind {
	case Unwritten:
		c.unwritten()
	case Lost:
		c.lost()
	case NonRepeatable:
		c.nonRepeatable()
	case NonMonotonic:
		c.nonMonotonic()
	case Overwritten:
		c.overwritten()
	case StaleKey:
		byKey := map[string][]Event{}
		for _, e := range c.events {
			byKey[e.Key] = append(byKey[e.Key], e)
		}
		for _, key := range slices.Sorted(maps.Keys(byKey)) {
			c.stale(kind, newPast(byKey[key], session))
		}
	case StaleCut:
		c.stale(kind, newPast(c.events, func(e *Event) string { return session(e) + "\x00" + e.Run + "\x00" + e.Stage }))
	case StaleSession:
		c.stale(kind, c.bySession())
	case Cycle:
		c.cycle()
	case Fractured:
		c.fractured()
		c.fracturedTransactions()
	case Torn:
		c.torn()
	}
}

// session is in whose past an event has others.
func session(e *Event) string {
	if e.Session != "" {
		return "s" + e.Session
	}
	return "r" + e.Run
}

func (c *checker) bySession() *past {
	if c.sessions == nil {
		c.sessions = newPast(c.events, session)
	}
	return c.sessions
}

// tell tells of an anomaly, unless the one that should not be is a read of which
// nothing was promised.
func (c *checker) tell(kind Anomaly, events ...Event) {
	if events[len(events)-1].Aborted {
		return
	}
	c.count++
	if len(c.found) < mostOfAKind {
		c.found = append(c.found, Violation{kind, events})
	}
}

func (c *checker) unwritten() {
	p := c.bySession()
	for i, e := range c.events {
		if _, known := p.read(i); !e.Writes && e.Version != "" && !known {
			c.tell(Unwritten, e)
		}
	}
}

func (c *checker) lost() {
	p := c.bySession()
	for i, e := range c.events {
		if !e.Final {
			continue
		}
		for _, w := range p.byKey[e.Key] {
			if write := &c.events[w]; write.ackedBefore(&e) && !write.Deletes && p.misses(i, w) {
				c.tell(Lost, *write, e)
			}
		}
	}
}

// inOrder gives the events of each group, in the order in which they began.
func (c *checker) inOrder(group func(*Event) string) (groups [][]int) {
	byName := map[string][]int{}
	for i := range c.events {
		if name := group(&c.events[i]); name != "" {
			byName[name] = append(byName[name], i)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		of := byName[name]
		slices.SortStableFunc(of, func(a, b int) int { return int(min(max(c.events[a].Began-c.events[b].Began, -1), 1)) })
		groups = append(groups, of)
	}
	return groups
}

// nonRepeatable compares each read of a run with those of the key before it,
// unless the run may have written the key between them or beside them.
func (c *checker) nonRepeatable() {
	for _, of := range c.inOrder(func(e *Event) string { return e.Run }) {
		for at, i := range of {
			read := &c.events[i]
			if read.Writes || read.Repeated {
				continue
			}
			for _, j := range of[:at] {
				first := &c.events[j]
				if first.Writes || first.Repeated || first.Key != read.Key || first.Version == read.Version || c.writesBetween(of, j, i) {
					continue
				}
				c.tell(NonRepeatable, *first, *read)
				break
			}
		}
	}
}

// writesBetween reports whether one of some events writes the key of two reads
// and may have come between them: it was neither over before both began nor
// began after both were over. Stages beside one another need not see each other's
// writes.
func (c *checker) writesBetween(of []int, one, other int) bool {
	a, b := &c.events[one], &c.events[other]
	return slices.ContainsFunc(of, func(i int) bool {
		w := &c.events[i]
		return w.Writes && w.Key == a.Key && !(a.follows(w) && b.follows(w)) && !(w.follows(a) && w.follows(b))
	})
}

func (c *checker) nonMonotonic() {
	p := c.bySession()
	c.inTurn(func(e *Event) bool { return !e.Writes }, func(earlier, later int) bool {
		before, known := p.read(earlier)
		now, found := p.read(later)
		if !known || !found {
			return known && !found && c.events[later].Version == "" && !p.deletedSince(before)
		}
		return p.older(now, before)
	}, NonMonotonic)
}

func (c *checker) overwritten() {
	p := c.bySession()
	mine := func(e *Event) bool { return e.Writes && !e.Deletes && (e.Acked || e.Transaction != "") } // a transaction sees what is kept for it
	c.inTurn(mine, func(write, read int) bool {
		now, found := p.read(read)
		if !found {
			return c.events[read].Version == "" && !p.deletedSince(write)
		}
		return p.older(now, write)
	}, Overwritten)
}

// inTurn compares each read of a session with events of the same key that it follows.
func (c *checker) inTurn(which func(*Event) bool, wrong func(earlier, later int) bool, kind Anomaly) {
	for _, of := range c.inOrder(session) {
		byKey := map[string][]int{}
		for _, i := range of {
			e := &c.events[i]
			if !e.Writes {
				for _, j := range slices.Backward(byKey[e.Key]) {
					if e.follows(&c.events[j]) && wrong(j, i) {
						c.tell(kind, c.events[j], *e)
						break
					}
				}
			}
			if which(e) {
				byKey[e.Key] = append(byKey[e.Key], i)
			}
		}
	}
}

// stale looks for reads that are older than what is in their past.
func (c *checker) stale(kind Anomaly, p *past) {
	for i := range p.events {
		if e := &p.events[i]; !e.Writes {
			if newer, yes := p.replaced(i); yes {
				c.tell(kind, p.events[newer], *e)
			}
		}
	}
}

// cycle looks for writes that are in their own past, and for reads of what was written with the read in the past.
func (c *checker) cycle() {
	p := c.bySession()
	for _, w := range p.writes {
		transaction := c.events[w].Transaction != ""
		if !transaction && !p.happenedBefore(w, w) {
			continue
		}
		with := []Event{}
		p.before[w].each(func(at int) bool {
			if other := p.writes[at]; other != w && p.happenedBefore(w, other) && !(transaction && c.events[other].Run == c.events[w].Run) {
				with = append(with, c.events[other])
			}
			return len(with) < 4
		})
		if len(with) > 0 || p.happenedBefore(w, w) {
			c.tell(Cycle, append(with, c.events[w])...)
		}
	}
}
