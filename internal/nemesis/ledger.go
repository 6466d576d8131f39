package nemesis

import (
	"fmt"
	"slices"
	"sync"
)

// ledger is the simple truth that the mesh is held against: what clients
// wrote, and what of it was acknowledged. It is safe for concurrent use.
type ledger struct {
	lock      sync.Mutex
	sets      map[string]*elements
	counters  map[string]*count
	registers map[string]*register
	acked     int // writes
	unknown   int // writes that were answered by an error
}

// elements of a set, each added once.
type elements struct{ attempted, acked []int }

// count of increments by one.
type count struct{ attempted, acked int64 }

// register is written by one client: the last value acknowledged, and what
// was attempted since. Values grow.
type register struct {
	acked int
	since []int
}

func newLedger() *ledger {
	return &ledger{sets: map[string]*elements{}, counters: map[string]*count{}, registers: map[string]*register{}}
}

// entry gives what a map holds under a name, made anew where there is nothing.
func entry[T any](m map[string]*T, name string) *T {
	if m[name] == nil {
		m[name] = new(T)
	}
	return m[name]
}

// attempt notes a write that is about to be made; done notes how it was
// answered. A write that is repeated is attempted once.
func (l *ledger) attempt(key Key, value int) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch key.Kind {
	case Set:
		set := entry(l.sets, key.Name)
		set.attempted = append(set.attempted, value)
	case Counter:
		entry(l.counters, key.Name).attempted++
	case Register:
		r := entry(l.registers, key.Name)
		r.since = append(r.since, value)
	}
}

func (l *ledger) done(key Key, value int, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err != nil {
		l.unknown++
		return
	}
	l.acked++
	switch key.Kind {
	case Set:
		set := l.sets[key.Name]
		set.acked = append(set.acked, value)
	case Counter:
		l.counters[key.Name].acked++
	case Register:
		l.registers[key.Name].acked, l.registers[key.Name].since = value, nil
	}
}

// content is what a key holds: of a register one value, of a set all. A key
// that is missing holds nothing, and counts 0.
type content struct {
	values []int // in order
	count  int64
}

func (c content) equal(other content) bool {
	return c.count == other.count && slices.Equal(c.values, other.values)
}

// verdict is how many acknowledged writes a content lacks, how many increments
// it counts twice, and how many values it holds that were never written.
type verdict struct{ lost, twice, unwritten int }

func (v *verdict) add(other verdict) {
	v.lost, v.twice, v.unwritten = v.lost+other.lost, v.twice+other.twice, v.unwritten+other.unwritten
}

// judge holds what a read gave after all writes had been answered against the ledger.
func (l *ledger) judge(key Key, c content) (v verdict) {
	l.lock.Lock()
	defer l.lock.Unlock()
	switch key.Kind {
	case Set:
		set := entry(l.sets, key.Name)
		v.lost, v.unwritten = missing(set.acked, c.values), missing(c.values, set.attempted)
	case Counter:
		n := entry(l.counters, key.Name)
		v.lost, v.twice = int(max(0, n.acked-c.count)), int(max(0, c.count-n.attempted))
	case Register:
		v.lost = l.judgeRegister(key, c)
	}
	return v
}

// judgeRegister gives 1 when the register shows an older value than the last
// acknowledged one. The lock is held.
func (l *ledger) judgeRegister(key Key, c content) int {
	r := entry(l.registers, key.Name)
	switch {
	case r.acked == 0 && len(c.values) == 0:
		return 0
	case len(c.values) == 1 && (c.values[0] == r.acked || slices.Contains(r.since, c.values[0])):
		return 0
	}
	return 1
}

// of says what a register must show.
func (l *ledger) of(key Key) string {
	l.lock.Lock()
	defer l.lock.Unlock()
	r := entry(l.registers, key.Name)
	if len(r.since) == 0 {
		return fmt.Sprintf("%d, acknowledged", r.acked)
	}
	return fmt.Sprintf("%d, acknowledged, or one of %d attempted since", r.acked, r.since)
}

// missing counts the values that are not among others.
func missing(values, others []int) (n int) {
	among := make(map[int]bool, len(others))
	for _, value := range others {
		among[value] = true
	}
	for _, value := range values {
		if !among[value] {
			n++
		}
	}
	return n
}
