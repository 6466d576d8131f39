package session

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// pins are what a node holds for a session.
type pins struct {
	of    mesh.Session
	home  *home       // where this node is the session's home, else nil
	timer *time.Timer // that ends it; nil at the home

	mu     sync.Mutex
	until  time.Time
	keys   map[mesh.Key]*pin
	writes map[mesh.Key]chan struct{} // of capacity 1: held by who writes the key on this node
	firsts map[mesh.Key]seen          // what was read here and has been written since
}

// pin is what a node holds of one key, or is about to. Its fields do not change
// after it has landed, but for before.
type pin struct {
	landed chan struct{}
	seen   seen
	how    *reading // of a transaction, where this node has read it
	err    error

	// Of what is being written: that, and what is held until the home has agreed,
	// if anything; guarded by pins.mu.
	written bool
	next    seen
	before  *pin
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

// land gives those who wait what was found, or has been written. It stays unless it is an error, or
// the key was written or forgotten meanwhile.
func (p *pins) land(key mesh.Key, at *pin, found seen, err error) {
	if err == nil {
		found.version() // from now on it only reads
	}
	at.seen, at.err = found, err
	close(at.landed)
	p.mu.Lock()
	defer p.mu.Unlock()
	at.before = nil
	if err != nil && p.keys[key] == at {
		delete(p.keys, key)
	}
}

// takeWriting gives the turn to write a key on this node, until release: what
// is written here has to land in the order in which the home hears of it.
func (p *pins) takeWriting(ctx context.Context, key mesh.Key) (release func(), err error) {
	p.mu.Lock()
	turn := p.writes[key]
	if turn == nil {
		turn = make(chan struct{}, 1)
		if p.writes == nil {
			p.writes = map[mesh.Key]chan struct{}{}
		}
		p.writes[key] = turn
	}
	p.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write puts a pin in place of what is held of a key, before the home is told
// of the write: so the word to forget it finds it, however early it comes. The
// caller has to land it.
func (p *pins) write(key mesh.Key, next seen) *pin {
	next.version() // from now on it only reads
	at := &pin{landed: make(chan struct{}), written: true, next: next}
	p.mu.Lock()
	defer p.mu.Unlock()
	at.before = p.keys[key] // which may have yet to land
	p.keepFirst(key, at.before)
	p.keys[key] = at
	return at
}

// forget forgets a version of a key, and what is yet to be read of it.
func (p *pins) forget(key mesh.Key, version uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.keys[key]
	switch {
	case at == nil:
	case at.written && at.next.version() != version:
		at.before = nil // what is written now, the home hears of later
	case !at.written && at.isHeld() && at.seen.hash != 0 && at.seen.hash != version:
	default:
		p.keepFirst(key, at)
		delete(p.keys, key)
	}
}

// keepFirst keeps what was read of a key and is about to be forgotten, for the
// run may begin anew. With the lock held.
func (p *pins) keepFirst(key mesh.Key, at *pin) {
	if at == nil || at.written || !at.isHeld() {
		return
	}
	if p.firsts == nil {
		p.firsts = map[mesh.Key]seen{}
	}
	p.firsts[key] = at.seen
}

// forgetBefore forgets what is held of a key, and what is yet to be read, unless
// it is a version that was written, or was written here.
func (p *pins) forgetBefore(key mesh.Key, written uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.keys[key]
	if at == nil || at.written || at.isHeld() && at.seen.version() == written {
		return
	}
	p.keepFirst(key, at)
	delete(p.keys, key)
}

// held gives the version that is here, but not while another is written: stages
// elsewhere may have seen that one already, and be those that come before who asks.
func (p *pins) held(key mesh.Key) (seen, bool) {
	if at := p.holds(key); at != nil {
		return at.seen, true
	}
	return seen{}, false
}

// holds is held, with all that is known of it; nil: nothing.
func (p *pins) holds(key mesh.Key) *pin {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.keys[key]; at != nil && at.isHeld() {
		return at
	}
	return nil
}

// version gives a version of a key if it is here. What is being written is, for
// who has heard of it from the home.
func (p *pins) version(key mesh.Key, version uint64) (seen, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.keys[key]
	if at != nil && at.written && at.next.version() == version {
		return at.next, true
	}
	for ; at != nil; at = at.before {
		if at.isHeld() && at.seen.version() == version {
			return at.seen, true
		}
	}
	if first, ok := p.firsts[key]; ok && first.version() == version {
		return first, true
	}
	return seen{}, false
}

// isHeld reports whether the pin has landed, with a version.
func (at *pin) isHeld() bool {
	select {
	case <-at.landed:
		return at.err == nil
	default:
		return false
	}
}

// lingering is how long pins last on a node that has no part in the run any
// more, for other nodes that want what it has read.
const lingering = 5 * time.Minute

// linger ends the pins after a while, unless the home does sooner, or the run
// comes back to this node.
func (p *pins) linger() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(lingering); p.timer != nil && until.Before(p.until) {
		p.until = until
		p.timer.Reset(lingering)
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
