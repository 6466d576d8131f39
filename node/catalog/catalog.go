// Package catalog knows the functions and DAGs of a mesh: their versions,
// hosts and modules, kept as lattices in the store like any other state, so
// that every node has them and none is in charge. It remembers what it read
// until it is told that something changed, and looks again from time to time
// in case it was not told. It does not run functions.
package catalog

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// State is the replicated store, as the catalog uses it.
type State interface {
	// Get reads a key from enough owners to see every acknowledged write;
	// NotFound when there is none.
	Get(ctx context.Context, key mesh.Key) (lattice.Value, error)
	// Find reads the copy that is closest at hand, this node's own if it has
	// one: for what is written once. NotFound when no owner has one.
	Find(ctx context.Context, key mesh.Key) (lattice.Value, error)
	Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error
	// PutForNow is Put of what says how things are now: while too many owners
	// are away, any node may hold it.
	PutForNow(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error
	Delete(ctx context.Context, key mesh.Key) error
	// List gives names of the system namespace in order, and whether there are more.
	List(ctx context.Context, prefix, after string, limit int) (names []string, more bool, err error)
}

// Announce tells all live nodes, this one included, to Forget a name, and
// waits until they have or are known to be gone. From then on no node uses
// what was before.
type Announce func(ctx context.Context, namespace, name string) error

// Catalog is safe for concurrent use.
type Catalog struct {
	state    State
	announce Announce

	lock       sync.RWMutex
	generation uint64 // raised by every Forget, so that what was read before one is not remembered after it
	functions  map[name]remembered[functionRecord]
	dags       map[name]remembered[mesh.DAG]
}

// remembered is what the store held, which is looked at again when it is no
// longer fresh.
type remembered[T any] struct {
	value *T
	fresh time.Time // until then
}

type name struct{ namespace, name string }

// freshFor bounds how long a node uses what was before when an announcement
// did not reach it; lookAgain, how often the store is asked while it cannot answer.
const (
	freshFor  = 10 * time.Second
	lookAgain = time.Second
)

// maxRemembered bounds the functions, and the DAGs, that are remembered.
const maxRemembered = 4096

// New makes a catalog over the state.
func New(state State, announce Announce) *Catalog {
	return &Catalog{
		state: state, announce: announce,
		functions: map[name]remembered[functionRecord]{}, dags: map[name]remembered[mesh.DAG]{},
	}
}

// Forget drops what is remembered of the function and the DAG of this name.
func (c *Catalog) Forget(namespace, called string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.generation++
	delete(c.functions, name{namespace, called})
	delete(c.dags, name{namespace, called})
}

// ForgetAll drops all that is remembered: announcements may have been missed.
func (c *Catalog) ForgetAll() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.generation++
	clear(c.functions)
	clear(c.dags)
}

// recall gives what memory holds under n, or loads it and remembers it. What
// is no longer fresh one caller loads anew, and serves as long as the store
// cannot answer.
func recall[T any](c *Catalog, memory map[name]remembered[T], n name, load func() (*T, error)) (*T, error) {
	c.lock.RLock()
	known, generation := memory[n], c.generation
	c.lock.RUnlock()
	if known.value != nil && (time.Now().Before(known.fresh) || !claim(c, memory, n)) {
		return known.value, nil
	}
	loaded, err := load()
	switch kind := mesh.KindOf(err); {
	case err == nil:
		remember(c, memory, n, loaded, generation)
	case known.value != nil && (kind == mesh.Unavailable || kind == mesh.DeadlineExceeded):
		return known.value, nil
	case known.value != nil:
		c.Forget(n.namespace, n.name)
	}
	return loaded, err
}

// claim makes its caller the one that loads anew, if nobody does.
func claim[T any](c *Catalog, memory map[name]remembered[T], n name) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	known, now := memory[n], time.Now()
	if now.Before(known.fresh) {
		return false
	}
	if known.value != nil {
		memory[n] = remembered[T]{known.value, now.Add(lookAgain)}
	}
	return true
}

// remember keeps what was loaded, unless something changed meanwhile.
func remember[T any](c *Catalog, memory map[name]remembered[T], n name, loaded *T, generation uint64) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if generation != c.generation {
		return
	}
	if len(memory) >= maxRemembered {
		clear(memory)
	}
	memory[n] = remembered[T]{loaded, time.Now().Add(freshFor)}
}

func systemKey(kind, namespace, called string) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: kind + "/" + namespace + "/" + called}
}
