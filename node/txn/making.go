package txn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// making is a transaction whose stamp is drawn, and the steps that carry it
// through: by its home, or by who completes it, or by several at once. Each step
// is tried until it succeeds or its context ends.
type making struct {
	*record
	t *Txns

	mu   sync.Mutex
	last error // the latest that made a step be taken again
}

// keep keeps the record. Until it has done so once, and unless others have, the
// transaction may come to nothing.
func (m *making) keep(ctx context.Context) error {
	encoded := m.encode()
	err := m.persist(ctx, func(ctx context.Context) error { return m.t.Store.KeepRecord(ctx, m.at, encoded) })
	if err == nil {
		m.note(nil)
	}
	return err
}

// write makes all writes, and says which they were.
func (m *making) write(ctx context.Context) (made lattice.Past, err error) {
	return m.put(ctx, m.needs, false)
}

// seal makes all writes again, which are all with most of their owners, and has
// each say so.
func (m *making) seal(ctx context.Context, made lattice.Past) error {
	_, err := m.put(ctx, m.needs.Join(made), true)
	return err
}

func (m *making) drop(ctx context.Context) error {
	return m.persist(ctx, func(ctx context.Context) error { return m.t.Store.DropRecord(ctx, m.at) })
}

func (m *making) put(ctx context.Context, needs lattice.Past, sealed bool) (made lattice.Past, err error) {
	var mu sync.Mutex
	err = each(m.writes, func(w Write) error {
		return m.persist(ctx, func(ctx context.Context) error {
			one, err := m.t.Store.Write(ctx, w, m.at, needs, sealed)
			if errors.Is(err, mesh.KindMismatch) { // the register was replaced since the commit
				m.t.Log.Warn("a write of a transaction is lost: the key is no register any more", "key", w.Key.String(), "at", m.at.String())
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			made = made.Join(one)
			return err
		})
	})
	return made, err
}

// each does something with all writes, some at once, and gives one of the errors.
func each(writes []Write, do func(Write) error) error {
	var all sync.WaitGroup
	failed := make([]error, len(writes))
	places := make(chan struct{}, writesAtOnce)
	for i, w := range writes {
		places <- struct{}{}
		all.Go(func() {
			failed[i] = do(w)
			<-places
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// Pauses before a step is taken again.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// persist takes a step until it succeeds or ctx ends; then it gives an error of the
// step, or of ctx.
func (m *making) persist(ctx context.Context, step func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := m.t.attempt(ctx, step)
		if err == nil {
			return nil
		}
		m.note(err)
		m.t.Log.Debug("a step of a transaction is taken again", "at", m.at.String(), "err", err)
		if !wait(ctx, max(pause, mesh.RetryAfter(err))) {
			return err
		}
	}
}

func (m *making) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = err
}

// why is what keeps a step from being taken, as far as is known.
func (m *making) why() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

func (t *Txns) attempt(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.Attempt)
	defer cancel()
	return step(ctx)
}

// wait reports whether ctx was there for so long.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
