package cache

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// PublisherOptions say how an owner tells subscribers of changes. Fields
// without a default are required.
type PublisherOptions struct {
	Peers Peers
	// Lease is how long a subscription holds. Default 30 s.
	Lease time.Duration
	// Epoch is how long deltas are collected before they are sent. Default 10 ms.
	Epoch time.Duration
	// Subscriptions bounds how many there are. Default 1 Mi.
	Subscriptions int
	// PendingBytes bounds the deltas collected for one subscriber, which is
	// told to forget a key whose delta does not fit. Default 4 MiB.
	PendingBytes int
	// AttemptTimeout bounds each request to a subscriber that lives but does
	// not answer. Default 5 s.
	AttemptTimeout time.Duration
	// Log receives what goes wrong. Default: slog.Default.
	Log *slog.Logger
}

func (o PublisherOptions) withDefaults() PublisherOptions {
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Epoch = cmp.Or(o.Epoch, 10*time.Millisecond)
	o.Subscriptions = cmp.Or(o.Subscriptions, 1<<20)
	o.PendingBytes = cmp.Or(o.PendingBytes, 4<<20)
	o.AttemptTimeout = cmp.Or(o.AttemptTimeout, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Publisher knows which nodes' caches hold keys that this node owns, and
// pushes them the changes. It is safe for concurrent use.
type Publisher struct {
	PublisherOptions
	session uint64 // tells this run of the owner from others
	tasks   *tasks
	pushed  atomic.Uint64 // deltas that were answered

	mu          sync.RWMutex
	subscribers map[mesh.NodeID]*subscriber
	byKey       map[mesh.Key]map[*subscriber]struct{}
	count       int // of subscriptions
}

// NewPublisher makes a publisher without subscribers. Close ends it.
func NewPublisher(o PublisherOptions) *Publisher {
	return &Publisher{
		PublisherOptions: o.withDefaults(), session: rand.Uint64(), tasks: newTasks(),
		subscribers: make(map[mesh.NodeID]*subscriber),
		byKey:       make(map[mesh.Key]map[*subscriber]struct{}),
	}
}

// Close ends the pushes under way, and waits for them.
func (p *Publisher) Close() { p.tasks.close() }

// Subscribe notes that a node wants to be told of changes of a key, from now
// until the lease ends. A lease of 0 says that it will not be told: there are
// too many subscriptions.
func (p *Publisher) Subscribe(node mesh.NodeID, key mesh.Key) (session uint64, lease time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s := p.subscribers[node]
	if s == nil {
		s = newSubscriber(node)
		p.subscribers[node] = s
	}
	if _, has := s.leases[key]; !has {
		if p.count >= p.Subscriptions {
			p.sweep(now)
		}
		if p.count >= p.Subscriptions {
			return p.session, 0
		}
		p.add(s, key)
	}
	s.subscribe(key, now.Add(p.Lease))
	return p.session, p.Lease
}

// Changed says that a delta made a key's cell grow. It keeps nothing of the
// delta, and costs next to nothing for a key without subscribers.
func (p *Publisher) Changed(key mesh.Key, delta lattice.Cell) {
	p.mu.RLock()
	_, subscribed := p.byKey[key]
	p.mu.RUnlock()
	if !subscribed {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.byKey[key] {
		if !s.collect(key, delta, p.PendingBytes) {
			p.remove(s, key)
		}
		p.startPushing(s)
	}
}

// Drop forgets a node that is gone for good. One that only cannot be reached
// is better kept: pushes are repeated, and leases end by themselves.
func (p *Publisher) Drop(node mesh.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.subscribers[node]; s != nil {
		p.dropSubscriber(s)
	}
}

// Pushed is how many deltas subscribers have taken.
func (p *Publisher) Pushed() uint64 { return p.pushed.Load() }

// Len is how many subscriptions there are, those that have ended and were not cleared yet included.
func (p *Publisher) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.count
}

// What follows needs p.mu.

func (p *Publisher) add(s *subscriber, key mesh.Key) {
	if p.byKey[key] == nil {
		p.byKey[key] = make(map[*subscriber]struct{})
	}
	p.byKey[key][s] = struct{}{}
	p.count++
}

func (p *Publisher) remove(s *subscriber, key mesh.Key) {
	if _, has := s.leases[key]; !has {
		return
	}
	delete(s.leases, key)
	delete(p.byKey[key], s)
	if len(p.byKey[key]) == 0 {
		delete(p.byKey, key)
	}
	p.count--
}

func (p *Publisher) dropSubscriber(s *subscriber) {
	for key := range s.leases {
		p.remove(s, key)
	}
	s.clear()
	delete(p.subscribers, s.node)
}

// sweep clears subscriptions that have ended.
func (p *Publisher) sweep(now time.Time) {
	for _, s := range p.subscribers {
		p.expire(s, now)
	}
}

func (p *Publisher) expire(s *subscriber, now time.Time) {
	for key, lease := range s.leases {
		if !now.Before(lease.end) {
			p.remove(s, key)
			s.discard(key)
		}
	}
	if len(s.leases) == 0 && !s.pushing {
		delete(p.subscribers, s.node)
	}
}

func (p *Publisher) startPushing(s *subscriber) {
	if !s.pushing {
		s.pushing = p.tasks.start(func(ctx context.Context) { p.push(ctx, s) })
	}
}
