package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// historyRuns bounds the runs that history remembers.
const historyRuns = 1024

// history remembers the runs that this node coordinated last, to explain
// them, and to answer a call that comes again. It is bounded by number, by
// bytes of results and by age; the oldest go first.
type history struct {
	ttl   time.Duration
	limit int64
	bytes int64
	runs  map[mesh.RunID]*coordination
	order []pastRun // oldest first
}

type pastRun struct {
	id    mesh.RunID
	ended time.Time
	bytes int64
}

func newHistory(ttl time.Duration, limit int64) history {
	return history{ttl: ttl, limit: limit, runs: map[mesh.RunID]*coordination{}}
}

// add remembers a run that is over. One that is larger than all of the room is not kept.
func (h *history) add(c *coordination, bytes int64, now time.Time) {
	if bytes > h.limit {
		return
	}
	h.runs[c.id] = c
	h.order = append(h.order, pastRun{c.id, now, bytes})
	h.bytes += bytes
	h.expire(now)
}

// get finds a run, or gives nil.
func (h *history) get(id mesh.RunID, now time.Time) *coordination {
	h.expire(now)
	return h.runs[id]
}

func (h *history) expire(now time.Time) {
	for len(h.order) > 0 {
		oldest := h.order[0]
		if len(h.order) <= historyRuns && h.bytes <= h.limit && now.Sub(oldest.ended) <= h.ttl {
			return
		}
		delete(h.runs, oldest.id)
		h.bytes -= oldest.bytes
		h.order = h.order[1:]
	}
}

// Bounds of forgotten. A hop cannot be late by more than its sender's
// patience; a run's id may come back only after its record has expired.
const (
	forgottenRuns = 8192
	forgottenFor  = time.Minute
)

// forgotten remembers the last attempts that this node is done with, so that
// a hop that comes late starts nothing.
type forgotten struct {
	attempts map[runKey]uint32
	order    []forgottenRun // oldest first
}

type forgottenRun struct {
	key runKey
	at  time.Time
}

// add notes that the attempts of a run up to this one are over.
func (f *forgotten) add(key runKey, attempt uint32, now time.Time) {
	f.expire(now)
	known, ok := f.attempts[key]
	f.attempts[key] = max(known, attempt)
	if !ok {
		f.order = append(f.order, forgottenRun{key, now})
	}
}

func (f *forgotten) expire(now time.Time) {
	for len(f.order) > 0 && (len(f.order) >= forgottenRuns || now.Sub(f.order[0].at) > forgottenFor) {
		delete(f.attempts, f.order[0].key)
		f.order = f.order[1:]
	}
}

// last gives the last attempt of a run that is over, 0 if none is.
func (f *forgotten) last(key runKey) uint32 { return f.attempts[key] }

// has reports whether the attempt is over.
func (f *forgotten) has(key runKey, attempt uint32) bool {
	last, ok := f.attempts[key]
	return ok && attempt <= last
}
