package soak

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// History is what one client did to a key, and what a read of it may give.
// Times are ticks of one count for the whole schedule: what has a lower tick
// happened before.
type History struct {
	mu     sync.Mutex
	kind   Kind
	writes []write
}

// write is a put or a delete, in the order in which they began. One that was
// answered by an error may have taken effect, or take effect until it is over.
type write struct {
	deletes     bool
	value       int
	began       int
	ended       int  // 0: not yet
	acked       bool // and is in effect since ended at the latest
	over        int  // 0: may still take effect
	description string
}

// Seen is what a read gave. A register holds one value, a set the values, a
// counter their number.
type Seen struct {
	Missing bool
	Values  []int
	Count   int64
}

// Begin notes a write that begins at a tick, and gives its number. A
// description tells of it.
func (h *History) Begin(step Step, tick int, description string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, write{deletes: step.Verb == Delete, value: step.Value, began: tick, description: description})
	return len(h.writes) - 1
}

// End notes how a write was answered at a tick.
func (h *History) End(number, tick int, acked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &h.writes[number]
	w.ended, w.acked = tick, acked
	if acked {
		w.over = tick
	}
}

// Settle notes that at a tick nothing is under way any more.
func (h *History) Settle(tick int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.writes {
		if h.writes[i].over == 0 {
			h.writes[i].over = tick
		}
	}
}

// Recent tells of the last writes and how they were answered.
func (h *History) Recent() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var told []string
	for _, w := range h.writes[max(0, len(h.writes)-recent):] {
		outcome := "under way"
		if w.ended > 0 {
			outcome = map[bool]string{true: "acknowledged", false: "failed"}[w.acked]
		}
		told = append(told, w.description+": "+outcome)
	}
	return strings.Join(told, "; ")
}

// recent is how many writes Recent tells of.
const recent = 6

// Check holds what a read gave that lasted from one tick to another against
// the history. A fresh read sees all that was acknowledged before it.
func (h *History) Check(seen Seen, from, to int, fresh bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.checkWritten(seen, to); err != nil {
		return err
	}
	if seen.Missing {
		if w := h.promised(from, to, fresh); w != nil {
			return fmt.Errorf("it is missing, and %q was acknowledged", w.description)
		}
		return nil
	}
	if !fresh {
		return nil
	}
	if h.kind == Counter {
		return h.checkCount(seen, from, to)
	}
	return h.checkValues(seen, from, to)
}

// checkWritten looks for values that were never written.
func (h *History) checkWritten(seen Seen, to int) error {
	for _, value := range seen.Values {
		if !slices.ContainsFunc(h.writes, func(w write) bool { return !w.deletes && w.value == value && w.began < to }) {
			return fmt.Errorf("it holds %d, which was never written", value)
		}
	}
	if attempted := len(h.writes); seen.Count > int64(attempted) {
		return fmt.Errorf("it counts %d, and there were %d writes", seen.Count, attempted)
	}
	return nil
}

// promised gives a put that a read must have found. One that is not fresh may
// have met the mark of any delete.
func (h *History) promised(from, to int, fresh bool) *write {
	if !fresh && slices.ContainsFunc(h.writes, func(w write) bool { return w.deletes && w.began < to }) {
		return nil
	}
	for i := range h.writes {
		if h.must(i, from, to) {
			return &h.writes[i]
		}
	}
	return nil
}

// must reports whether a fresh read finds what a put wrote, unless a later
// put took its place: it was acknowledged before, and no delete came later. A
// delete that was answered by an error comes until it is over.
func (h *History) must(i, from, to int) bool {
	w := h.writes[i]
	if w.deletes || !w.acked || w.ended >= from {
		return false
	}
	for j, d := range h.writes {
		if !d.deletes || d.began >= to {
			continue
		}
		if j > i || !d.acked && (d.over == 0 || w.began < d.over) {
			return false
		}
	}
	return true
}

// may reports whether a fresh read can find what a put wrote: it had begun,
// and no acknowledged delete came later; nor, of a register, another put.
func (h *History) may(i, from, to int) bool {
	w := h.writes[i]
	if w.deletes || w.began >= to {
		return false
	}
	return !slices.ContainsFunc(h.writes[i+1:], func(later write) bool {
		return later.acked && later.ended < from && (later.deletes || h.kind == Register && !h.rodeOnDelete(i, later))
	})
}

// rodeOnDelete reports whether a put can have come after a later one all the
// same: neither it nor a delete before it was acknowledged, and a node that
// was cut off took both. When that delete comes it ends what was written
// without knowing of it, and what was put on top of it comes along.
func (h *History) rodeOnDelete(i int, later write) bool {
	return !h.writes[i].acked && slices.ContainsFunc(h.writes[:i], func(d write) bool {
		return d.deletes && !d.acked && (d.over == 0 || later.began < d.over)
	})
}

func (h *History) checkCount(seen Seen, from, to int) error {
	fewest, most := int64(0), int64(0)
	for i := range h.writes {
		if h.must(i, from, to) {
			fewest++
		}
		if h.may(i, from, to) {
			most++
		}
	}
	if seen.Count < fewest || seen.Count > most {
		return fmt.Errorf("it counts %d: expected %d, the acknowledged, to %d, the attempted", seen.Count, fewest, most)
	}
	return nil
}

func (h *History) checkValues(seen Seen, from, to int) error {
	for i, w := range h.writes {
		there := slices.Contains(seen.Values, w.value)
		if there && !w.deletes && !h.may(i, from, to) {
			return fmt.Errorf("it holds what %q wrote, and that was deleted or overwritten since", w.description)
		}
		if !there && h.kind == Set && h.must(i, from, to) {
			return fmt.Errorf("it lacks what %q wrote, which was acknowledged", w.description)
		}
	}
	return nil
}
