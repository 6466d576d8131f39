package node

func (r *rooms) waitFor(what string) { r.waiting.Store(&what) }

// notReady says what the node is waiting for; empty when it is ready.
func (r *rooms) notReady() string {
	if err := r.store.Failed(); err != nil {
		return err.Error()
	}
	if what := r.waiting.Load(); what != nil {
		return *what
	}
	if r.drain.underWay() != nil {
		return "it is draining"
	}
	return ""
}
