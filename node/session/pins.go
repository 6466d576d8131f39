package session

import (
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// pins are what a node holds for a session.
type pins struct {
	of    mesh.Session
	home  *home       // where this node is the session's home, else nil
	timer *time.Timer // that ends it; nil at the home

	mu    sync.Mutex
	until time.Time
	keys  map[mesh.Key]*pin
}

// pin is what a node holds of one key, or is about to. Its fields do not change
// after it has landed.
type pin struct {
	landed chan struct{}
	seen   seen
	err    error
}

// pin gives the pin of a key; first says that the caller has to land it.
func (p *pins) pin(key mesh.Key, limit int) (_ *pin, first bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.keys[key]; held != nil {
		return held, false, nil
	}
	if len(p.keys) >= limit {
		return nil, false, mesh.Errorf(mesh.Overloaded, "session", "the run has seen %d keys on this node: expected no more", limit)
	}
	fresh := &pin{landed: make(chan struct{})}
	p.keys[key] = fresh
	return fresh, true, nil
}

// land gives those who wait what was found. It stays unless it is an error, or
// the key was written or forgotten meanwhile.
func (p *pins) land(key mesh.Key, at *pin, found seen, err error) {
	at.seen, at.err = found, err
	close(at.landed)
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[key] == at {
		delete(p.keys, key)
	}
}

// set holds a version that is known.
func (p *pins) set(key mesh.Key, now seen) {
	at := &pin{landed: make(chan struct{}), seen: now}
	close(at.landed)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[key] = at
}

func (p *pins) forget(key mesh.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, key)
}

// held gives a version if it is here.
func (p *pins) held(key mesh.Key) (seen, bool) {
	p.mu.Lock()
	at := p.keys[key]
	p.mu.Unlock()
	if at == nil {
		return seen{}, false
	}
	select {
	case <-at.landed:
		return at.seen, at.err == nil
	default:
		return seen{}, false
	}
}

// lastUntil lets the pins last until a deadline, if they did not already.
func (p *pins) lastUntil(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil && deadline.After(p.until) {
		p.until = deadline
		p.timer.Reset(time.Until(deadline))
	}
}
