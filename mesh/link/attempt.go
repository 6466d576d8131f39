package link

import (
	"context"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// attempt is a dial that callers share. It ends when none of them is left.
type attempt struct {
	callers int
	addrs   *addrList // of all callers
	cancel  context.CancelFunc
	last    lastError
	once    sync.Once
	done    chan struct{}
	conn    *Conn
	err     error
}

func (a *attempt) finish(c *Conn, err error) {
	a.once.Do(func() {
		a.conn, a.err = c, err
		close(a.done)
		a.cancel()
	})
}

// join gives the attempt to connect to id, begun if need be, or else the
// connection that stands.
func (e *Endpoint) join(id mesh.NodeID, addrs []string) (*attempt, *Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, e.connectError(id, addrs, errShutdown, nil)
	}
	if c := e.peers.alive(id); c != nil {
		return nil, c, nil
	}
	a := e.peers.attempts[id]
	if a != nil {
		a.addrs.add(addrs)
	} else {
		a = &attempt{addrs: newAddrList(addrs), done: make(chan struct{})}
		ctx, cancel := context.WithCancel(e.ctx)
		a.cancel = cancel
		e.peers.attempts[id] = a
		e.tasks.Go(func() {
			defer cancel()
			a.finish(e.dialNoting(ctx, id, a.addrs, &a.last))
			e.forget(id, a)
		})
	}
	a.callers++
	return a, nil, nil
}

func (e *Endpoint) forget(id mesh.NodeID, a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.peers.attempts[id] == a {
		delete(e.peers.attempts, id)
	}
}

func (e *Endpoint) leave(id mesh.NodeID, a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a.callers--; a.callers == 0 {
		a.cancel()
		if e.peers.attempts[id] == a {
			delete(e.peers.attempts, id)
		}
	}
}

// lastError keeps why the last dial failed, for those who stop waiting.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
