package exec

import (
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// budget is the memory that all instances share.
type budget struct {
	limit uint64
	evict func() bool // frees an idle instance, if there is one

	mu   sync.Mutex
	used uint64
}

// take reserves n bytes, for which it evicts idle instances.
func (b *budget) take(n uint64) bool {
	for !b.tryTake(n) {
		if !b.evict() {
			return false
		}
	}
	return true
}

func (b *budget) tryTake(n uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limit-b.used {
		return false
	}
	b.used += n
	return true
}

func (b *budget) giveBack(n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// linearMemory is the memory of one instance: an experimental.LinearMemory
// that grows within the limit of the invocation and the node's budget.
type linearMemory struct {
	budget *budget
	limit  uint64
	bytes  []byte
	denied error // why growth was last refused
}

// newLinearMemory reserves what the module starts with: wazero cannot be told
// that there is no memory at all.
func newLinearMemory(b *budget, initial, limit uint64) (*linearMemory, error) {
	m := &linearMemory{budget: b, limit: limit}
	if m.Reallocate(initial); m.denied != nil {
		return nil, m.denied
	}
	return m, nil
}

// Reallocate grows the memory to size bytes, or gives nil.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.denied = mesh.Errorf(mesh.UserError, "", "it needs more memory than its limit of %d bytes", m.limit)
		return nil
	}
	if size > uint64(cap(m.bytes)) && !m.grow(size) {
		m.denied = mesh.Errorf(mesh.Overloaded, "", "the memory that this node has for functions, %d bytes, is in use", m.budget.limit)
		return nil
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

// grow makes room for size bytes, and for a quarter more if there is any.
func (m *linearMemory) grow(size uint64) bool {
	have := uint64(cap(m.bytes))
	room := min(max(size, have+have/4), m.limit)
	if !m.budget.take(room - have) {
		room = size
		if !m.budget.take(room - have) {
			return false
		}
	}
	bytes := make([]byte, room)
	copy(bytes, m.bytes)
	m.bytes = bytes
	return true
}

// Free gives the memory back to the budget.
func (m *linearMemory) Free() {
	m.budget.giveBack(uint64(cap(m.bytes)))
	m.bytes = nil
}
