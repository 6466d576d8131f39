package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// known finds a run that this node coordinates, or lately did.
func (r *Runs) known(id mesh.RunID) *coordination {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.coordinated[id]; c != nil {
		return c
	}
	return r.history.get(id, time.Now())
}

// mayBeginAgain reports whether the run is over without an end that a call
// with its id is answered by.
func (c *coordination) mayBeginAgain() bool {
	if !c.isOver() {
		return false
	}
	record := c.record()
	return !record.conclusive()
}

// admit takes a run on, or finds the one that has its id already.
func (r *Runs) admit(c *coordination) (*coordination, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errClosed()
	case r.coordinated[c.id] != nil:
		return r.coordinated[c.id], nil
	case len(r.coordinated) >= r.cfg.MaxRuns:
		return nil, mesh.Errorf(mesh.Overloaded, "", "the node coordinates %d runs already: retry later", r.cfg.MaxRuns)
	}
	r.coordinated[c.id] = c
	return c, nil
}

// retire moves a run that is over to the history, without its arguments.
func (r *Runs) retire(c *coordination) {
	c.mu.Lock()
	spread := c.share != nil && !c.share.alone
	c.args, c.share = nil, nil
	charged, size, refused := c.charged, c.tracker.held, c.refused
	if c.settled != nil {
		size = c.settled.bytes()
	}
	c.charged = 0
	c.mu.Unlock()
	r.charge(-charged)
	defer close(c.retired)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.coordinated, c.id)
	if spread {
		r.spread--
	}
	if !refused {
		r.history.add(c, size, time.Now())
	}
}
