package run

import (
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Meter counts what executions of a stage waited for and read. It is safe for
// concurrent use; a nil Meter counts nothing.
type Meter struct {
	queued       atomic.Int64 // for places, in ns
	hits, misses atomic.Uint32
	moved        atomic.Int64
}

// Queued counts how long an execution waited for its place.
func (m *Meter) Queued(d time.Duration) {
	if m != nil {
		m.queued.Add(int64(d))
	}
}

// Reads counts keys that were read: those that were on the node, those that
// were not, and the bytes of these.
func (m *Meter) Reads(hits, misses uint32, moved int64) {
	if m != nil {
		m.hits.Add(hits)
		m.misses.Add(misses)
		m.moved.Add(moved)
	}
}

// Read counts one key that was read.
func (m *Meter) Read(here bool, bytes int) {
	if here {
		m.Reads(1, 0, 0)
		return
	}
	m.Reads(0, 1, int64(bytes))
}

// tell adds to an answer what was counted.
func (m *Meter) tell(reply *pb.InvokeReply) {
	reply.QueuedUs = uint64(time.Duration(m.queued.Load()) / time.Microsecond)
	reply.CacheHits, reply.CacheMisses, reply.MovedBytes = m.hits.Load(), m.misses.Load(), uint64(m.moved.Load())
}

// heed counts what another node has counted.
func (m *Meter) heed(reply *pb.InvokeReply) {
	m.Queued(micros(reply.QueuedUs))
	m.Reads(reply.CacheHits, reply.CacheMisses, int64(min(reply.MovedBytes, 1<<62)))
}

// add counts what another meter has counted.
func (m *Meter) add(other *Meter) {
	m.Queued(time.Duration(other.queued.Load()))
	m.Reads(other.hits.Load(), other.misses.Load(), other.moved.Load())
}

// note adds to a report what was counted.
func (m *Meter) note(r *report) {
	r.queued, r.hits, r.misses, r.moved = time.Duration(m.queued.Load()), m.hits.Load(), m.misses.Load(), m.moved.Load()
}
