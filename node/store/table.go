package store

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
)

// table is what the store knows of each partition without reading. The index
// on disk says the same, more slowly.
type table struct {
	// computing makes bringing a partition up to date one step.
	computing sync.Mutex
	digests   [mesh.Partitions]uint64 // right where not stale; guarded by computing

	// stale is set after a change was handed to the engine, and taken back
	// before the index is read, so no change is missed.
	stale [mesh.Partitions]atomic.Bool
	keys  [mesh.Partitions]atomic.Int64
	// drops counts how often a partition was dropped in this incarnation:
	// see Store.writerFor.
	drops   [mesh.Partitions]atomic.Uint32
	dropped atomic.Bool // any of drops is not 0

	cut   atomic.Bool   // records of the index were lost since the start
	ready chan struct{} // closed when what was there at the start is counted in
	err   error         // why that ended early; set before ready is closed
}

func newTable() *table { return &table{ready: make(chan struct{})} }

// all gives the digests of all partitions, and which of them are stale.
func (t *table) all() (digests []uint64, stale []mesh.Partition) {
	t.computing.Lock()
	defer t.computing.Unlock()
	digests = make([]uint64, mesh.Partitions)
	for p := range mesh.Partition(mesh.Partitions) {
		if t.stale[p].Load() {
			stale = append(stale, p)
		} else {
			digests[p] = t.digests[p]
		}
	}
	return digests, stale
}

// changed says that a cell of the partition changed, or came to be.
func (t *table) changed(p mesh.Partition, created bool) {
	if created {
		t.keys[p].Add(1)
	}
	if !t.stale[p].Load() {
		t.stale[p].Store(true)
	}
}

// removed says that a cell of the partition is gone.
func (t *table) removed(p mesh.Partition) {
	t.keys[p].Add(-1)
	t.stale[p].Store(true)
}

// total is the number of keys in all partitions.
func (t *table) total() (keys int64) {
	for p := range t.keys {
		keys += t.keys[p].Load()
	}
	return keys
}

// isReady reports whether all that was there at the start is counted in.
func (t *table) isReady() bool {
	select {
	case <-t.ready:
		return t.err == nil
	default:
		return false
	}
}

// Of each partition a saved table has the digest, the number of keys, the
// drops, and whether the digest is stale.
const tableEntrySize = 8 + 4 + 4 + 1

func (t *table) encode() []byte {
	t.computing.Lock()
	defer t.computing.Unlock()
	b := make([]byte, 0, mesh.Partitions*tableEntrySize)
	for p := range mesh.Partitions {
		b = binary.BigEndian.AppendUint64(b, t.digests[p])
		b = binary.BigEndian.AppendUint32(b, uint32(t.keys[p].Load()))
		b = binary.BigEndian.AppendUint32(b, t.drops[p].Load())
		var stale byte
		if t.stale[p].Load() {
			stale = 1
		}
		b = append(b, stale)
	}
	return b
}

// decode fills a new table, and reports whether b was written by encode.
func (t *table) decode(b []byte) bool {
	if len(b) != mesh.Partitions*tableEntrySize {
		return false
	}
	for p := range mesh.Partitions {
		entry := b[p*tableEntrySize:]
		t.digests[p] = binary.BigEndian.Uint64(entry)
		t.keys[p].Store(int64(binary.BigEndian.Uint32(entry[8:])))
		t.countDrops(mesh.Partition(p), binary.BigEndian.Uint32(entry[12:]))
		t.stale[p].Store(entry[16] != 0)
	}
	return true
}

func (t *table) countDrops(p mesh.Partition, n uint32) {
	if n > 0 {
		t.drops[p].Add(n)
		t.dropped.Store(true)
	}
}
