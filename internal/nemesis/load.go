package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// callTimeout bounds one attempt of a call; the client falls over to other
// nodes within it.
const callTimeout = 20 * time.Second

// load is what clients do to the mesh, and what comes of it.
type load struct {
	keys    []Key // that clients write and read
	tallies []Key // counters of runs
	ledger  *ledger
	waits   *waits
	value   atomic.Int64 // last written

	runs   atomic.Int64 // that gave their result
	reads  atomic.Int64
	unseen atomic.Int64 // quorum reads that missed what the same client had written

	histories []*history // of runs that tell what they read and wrote

	lock   sync.Mutex
	odd    []string // errors that no fault explains, up to mostOdd
	missed []string // what quorum reads did not see, up to mostOdd
	faults []moment // how far each has come
}

// moment is when a fault came so far.
type moment struct {
	at    time.Time
	fault string
}

// mostOdd bounds what is told of each kind.
const mostOdd = 20

func newLoad(nodes []mesh.NodeID) *load {
	l := &load{ledger: newLedger(), waits: newWaits(), tallies: namedKeys(Counter, "tally", tallies, nodes)}
	l.keys = slices.Concat(keyspace(Set, 24, nodes), keyspace(Counter, 12, nodes), keyspace(Register, 64, nodes))
	return l
}

// client writes and reads until ctx ends, with a pause after each call. Of
// the registers it writes those whose turn is its number among all clients.
func (l *load) client(ctx context.Context, c *sdk.Client, number, of int, pause time.Duration, chance *rand.Rand) {
	var own []Key
	for i, key := range l.keys {
		if key.Kind != Register || i%of == number {
			own = append(own, key)
		}
	}
	for ctx.Err() == nil {
		key := own[chance.IntN(len(own))]
		if key.Kind == Register && chance.IntN(2) == 0 {
			l.read(ctx, c, key)
		} else {
			l.write(ctx, c, key)
		}
		rest(ctx, pause)
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// write makes one write. What can be repeated without harm is, until it is
// acknowledged; an increment that was answered by an error is left unknown.
func (l *load) write(ctx context.Context, c *sdk.Client, key Key) {
	value := int(l.value.Add(1))
	l.ledger.attempt(key, value)
	l.until(ctx, key, func(ctx context.Context) error {
		err := write(ctx, c, key, value)
		l.ledger.done(key, value, err)
		if key.Kind == Counter {
			l.tell(err)
			return nil
		}
		return err
	})
}

// read looks at a register that the client writes itself: two owners of
// three must show what it wrote last.
func (l *load) read(ctx context.Context, c *sdk.Client, key Key) {
	quorum := c.WithState(sdk.StateOptions{ReadQuorum: 2})
	l.until(ctx, key, func(ctx context.Context) error {
		seen, err := read(ctx, quorum, key)
		if err != nil {
			return err
		}
		l.reads.Add(1)
		if l.ledger.judge(key, seen).lost > 0 {
			l.unseen.Add(1)
			l.miss(key, seen)
		}
		return nil
	})
}

// until repeats a call until it succeeds or ctx ends.
func (l *load) until(ctx context.Context, key Key, attempt func(context.Context) error) {
	number := l.waits.begin(key)
	defer l.waits.end(number)
	for {
		// A call under way at the end is finished: its outcome would be unknown.
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		err := attempt(within)
		cancel()
		l.tell(err)
		if err == nil || ctx.Err() != nil {
			return
		}
		rest(ctx, 10*time.Millisecond)
	}
}

// tell keeps an error that no fault explains.
func (l *load) tell(err error) {
	if err == nil {
		return
	}
	switch mesh.KindOf(err) {
	case mesh.Unavailable, mesh.DeadlineExceeded, mesh.Overloaded, mesh.Cancelled:
		return
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.odd) < mostOdd {
		l.odd = append(l.odd, err.Error())
	}
}

// miss tells of a quorum read that did not see what its reader had written.
func (l *load) miss(key Key, seen content) {
	wanted := l.ledger.of(key)
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.missed) < mostOdd {
		l.missed = append(l.missed, fmt.Sprintf("%s showed %v: expected %s; %s", key.Name, seen.values, wanted, l.last()))
	}
}

// suffers notes how far a fault has come, for who tells what was missed.
func (l *load) suffers(format string, args ...any) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.faults = append(l.faults, moment{time.Now(), fmt.Sprintf(format, args...)})
}

// last is the last fault, and how far it has come. The lock is held.
func (l *load) last() string {
	if len(l.faults) == 0 {
		return ""
	}
	return l.faults[len(l.faults)-1].fault
}

// faultAt is last as it was at a time.
func (l *load) faultAt(t time.Time) (fault string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, m := range l.faults {
		if !m.at.After(t) {
			fault = m.fault
		}
	}
	return fault
}

func write(ctx context.Context, c *sdk.Client, key Key, value int) error {
	switch key.Kind {
	case Set:
		return sdk.ORSet[int](c, key.Name).Add(ctx, value)
	case Counter:
		return sdk.Counter(c, key.Name).Inc(ctx, 1)
	}
	return sdk.Register[int](c, key.Name).Put(ctx, value)
}

// read gives what a key holds; nothing, where it is missing.
func read(ctx context.Context, c *sdk.Client, key Key) (seen content, err error) {
	switch key.Kind {
	case Set:
		seen.values, err = sdk.ORSet[int](c, key.Name).All(ctx)
		slices.Sort(seen.values)
	case Counter:
		seen.count, err = sdk.Counter(c, key.Name).Value(ctx)
	case Register:
		var value int
		if value, err = sdk.Register[int](c, key.Name).Get(ctx); err == nil {
			seen.values = []int{value}
		}
	}
	if errors.Is(err, mesh.NotFound) {
		return content{}, nil
	}
	return seen, err
}
