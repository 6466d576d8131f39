package sdk

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Transaction groups reads and puts at two levels of isolation that need no
// node to wait for another (Bailis et al., "Highly Available Transactions",
// 2014; Wu et al., "Anna: a KVS for any scale", TKDE 2019):
//
//   - Item cut isolation: a key that is read again gives what it gave first.
//   - Read committed: nobody sees a put before Commit, nor ever, if that is not
//     called; and of several that set a key nobody sees but the last.
//
// It is neither serializable nor atomic: while Commit runs others may see some
// of the puts and not others, and reads of different keys are not of one
// moment. Reads do not see the transaction's own puts. It is safe for
// concurrent use.
type Transaction struct {
	client *Client

	mu    sync.Mutex
	reads map[string]*firstRead
	puts  map[string][]*Write // by key, in order
}

// firstRead is what a key gave, once done is closed.
type firstRead struct {
	done  chan struct{}
	value lattice.Value
	err   error
}

// Transaction begins one. It needs no end: one that is not committed has done nothing.
func (c *Client) Transaction() *Transaction {
	return &Transaction{client: c, reads: make(map[string]*firstRead), puts: make(map[string][]*Write)}
}

// Get reads a key as Client.Get does, the first time; that it is missing is
// remembered, too. Other errors are not.
func (t *Transaction) Get(ctx context.Context, name string) (lattice.Value, error) {
	for {
		t.mu.Lock()
		first := t.reads[name]
		if first == nil {
			first = &firstRead{done: make(chan struct{})}
			t.reads[name] = first
			t.mu.Unlock()
			t.read(ctx, name, first)
			return first.value, first.err
		}
		t.mu.Unlock()
		select {
		case <-first.done:
		case <-ctx.Done():
			return lattice.Value{}, mesh.AsError("get "+name, ctx.Err())
		}
		if remembered(first.err) {
			return first.value, first.err
		}
	}
}

func remembered(err error) bool { return err == nil || errors.Is(err, mesh.NotFound) }

func (t *Transaction) read(ctx context.Context, name string, first *firstRead) {
	first.value, first.err = t.client.Get(ctx, name)
	if !remembered(first.err) {
		t.mu.Lock()
		delete(t.reads, name)
		t.mu.Unlock()
	}
	close(first.done)
}

// Put keeps an operation for Commit. One that sets a key takes the place of
// those that set it before.
func (t *Transaction) Put(name string, kind lattice.Kind, op lattice.Op) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if op.Verb() == lattice.VerbSet {
		t.puts[name] = dropSets(t.puts[name], kind)
	}
	t.puts[name] = append(t.puts[name], t.client.Write(name, kind, op))
}

func dropSets(puts []*Write, kind lattice.Kind) []*Write {
	var others []*Write
	for _, w := range puts {
		if w.kind != kind || w.op.Verb() != lattice.VerbSet {
			others = append(others, w)
		}
	}
	return others
}

// commitsAtOnce bounds the keys that Commit writes beside one another.
const commitsAtOnce = 16

// Commit makes the puts: those of a key in order, keys beside one another.
// With an error some were made and some were not; Commit may be called again,
// which makes the rest, and nothing twice.
func (t *Transaction) Commit(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var left sync.Mutex // guards what is left to do
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(commitsAtOnce)
	rest := make(map[string][]*Write)
	for name, puts := range t.puts {
		group.Go(func() error {
			done, err := commitKey(ctx, puts)
			if done < len(puts) {
				left.Lock()
				rest[name] = puts[done:]
				left.Unlock()
			}
			return err
		})
	}
	err := group.Wait()
	t.puts = rest
	return err
}

// commitKey makes puts of one key, and says how many it made.
func commitKey(ctx context.Context, puts []*Write) (done int, err error) {
	for done, w := range puts {
		if _, err := w.Do(ctx); err != nil {
			return done, err
		}
	}
	return len(puts), nil
}
