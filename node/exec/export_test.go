package exec

// MemoryInUse is what guests hold of the node's memory, idle ones included.
func (e *Executor) MemoryInUse() uint64 {
	e.modules.budget.mu.Lock()
	defer e.modules.budget.mu.Unlock()
	return e.modules.budget.used
}

// Settle waits until no module is being loaded.
func (e *Executor) Settle() { e.modules.loads.Wait() }
