package exec

// Load is how busy the node is with functions.
type Load struct{ Running, Waiting, Capacity int }

// Load tells how many invocations have a place, wait for one, and may have one.
func (e *Executor) Load() Load {
	running, waiting := e.node.counts()
	return Load{Running: running, Waiting: waiting, Capacity: e.options.Concurrency}
}

// Places is how many invocations run, how many wait for a place or for their
// module to be loaded, and how many places there are. One that waits for another invocation or for a message
// takes none, nor does one that waits for its function's own limit.
func (e *Executor) Places() (taken, waiting, limit int) {
	e.node.mu.Lock()
	defer e.node.mu.Unlock()
	return e.node.running, e.node.waiting.len + int(e.loading.Load()), e.node.limit
}
