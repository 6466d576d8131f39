package check

import "slices"

// fractured looks at each run that is no transaction for what it saw of each other run.
func (c *checker) fractured() {
	p := c.bySession()
	last := c.lastWrites()
	for _, of := range c.inOrder(func(e *Event) string { return e.Run }) {
		for _, i := range of {
			source, found := p.read(i)
			if !found || c.events[i].Transaction != "" || c.events[source].Run == "" || c.events[source].Run == c.events[i].Run {
				continue
			}
			writer := last[c.events[source].Run]
			for _, j := range of {
				w, wrote := writer[c.events[j].Key]
				if !wrote || c.events[j].Writes {
					continue
				}
				if p.misses(j, w) && !c.wroteItself(of, j) {
					c.tell(Fractured, c.events[source], c.events[w], c.events[i], c.events[j])
				}
			}
		}
	}
}

// wroteItself reports whether a run may have read its own write.
func (c *checker) wroteItself(of []int, read int) bool {
	return slices.ContainsFunc(of, func(i int) bool {
		w := &c.events[i]
		return w.Writes && w.Key == c.events[read].Key && w.Version == c.events[read].Version
	})
}

// lastWrites gives by run and key what the run wrote last.
func (c *checker) lastWrites() map[string]map[string]int {
	last := map[string]map[string]int{}
	for i := range c.events {
		e := &c.events[i]
		if !e.Writes || e.Run == "" {
			continue
		}
		if last[e.Run] == nil {
			last[e.Run] = map[string]int{}
		}
		if before, ok := last[e.Run][e.Key]; !ok || c.events[before].Began <= e.Began {
			last[e.Run][e.Key] = i
		}
	}
	return last
}

// fracturedTransactions looks at each transaction that succeeded for what is older
// than the cut of which another of its reads is, whichever came first.
func (c *checker) fracturedTransactions() {
	p := c.bySession()
	for _, of := range c.inOrder(func(e *Event) string { return e.Transaction }) {
		reads := slices.DeleteFunc(of, func(i int) bool { return c.events[i].Writes || c.events[i].Aborted })
		cut := make(set, (len(p.writes)+63)/64)
		for _, i := range reads {
			if source, ok := c.readOfOthers(i); ok {
				cut.addAll(p.comesWith(i, source))
				cut.add(p.at[source])
			}
		}
		for _, j := range reads {
			if source, found := p.read(j); found && c.events[source].Run == c.events[j].Run {
				continue // what the transaction wrote itself
			}
			for _, w := range p.byKey[c.events[j].Key] {
				if cut.has(p.at[w]) && c.events[w].Run != c.events[j].Run && p.misses(j, w) {
					with := c.readWith(reads, w)
					source, _ := p.read(with)
					c.tell(Fractured, c.events[source], c.events[w], c.events[with], c.events[j])
					break
				}
			}
		}
	}
}

// readOfOthers gives who wrote what an event read, if that was not its own run.
func (c *checker) readOfOthers(i int) (source int, ok bool) {
	source, ok = c.bySession().read(i)
	return source, ok && (c.events[source].Run == "" || c.events[source].Run != c.events[i].Run)
}

// readWith gives the read of some that a write must be seen with.
func (c *checker) readWith(reads []int, write int) int {
	p := c.bySession()
	for _, i := range reads {
		if source, ok := c.readOfOthers(i); ok && (source == write || p.comesWith(i, source).has(p.at[write])) {
			return i
		}
	}
	panic("check: a write is in a cut, and comes with none of its reads")
}

// torn looks at what there is in the end for what is older than the writes of
// transactions of which others saw another write.
func (c *checker) torn() {
	p := c.bySession()
	seen := map[string][]int{} // by transaction: reads of what it wrote
	for i := range c.events {
		if source, ok := c.readOfOthers(i); ok && c.events[source].Transaction != "" {
			t := c.events[source].Transaction
			seen[t] = append(seen[t], i)
		}
	}
	for i := range c.events {
		if !c.events[i].Final {
			continue
		}
		for _, w := range p.byKey[c.events[i].Key] {
			if !p.misses(i, w) {
				continue
			}
			for _, r := range seen[c.events[w].Transaction] {
				if source, _ := p.read(r); source != w {
					c.tell(Torn, c.events[source], c.events[w], c.events[r], c.events[i])
					break
				}
			}
		}
	}
}
