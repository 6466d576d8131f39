package trigger

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Triggers are a node's part of the triggers of a mesh: it fires those of
// which it is the keeper, and answers for all. It is safe for concurrent use.
type Triggers struct {
	Options
	held    map[string]*keeping // by record: those of which this node has a copy; for Run alone
	keepers sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	stop    context.CancelFunc // of Run, once it runs
	running sync.WaitGroup
}

// keeping is a trigger that this node keeps, or may come to keep.
type keeping struct {
	stop  context.CancelFunc // nil: it is not the keeper
	ended chan struct{}      // closed when its last keeper has ended; nil: there was none
}

// New makes it. Nothing fires before Run.
func New(o Options) *Triggers {
	return &Triggers{Options: o.withDefaults(), held: make(map[string]*keeping)}
}

// Close ends Run, and waits for it: before the runs of the node end, so that
// none seems to have failed.
func (t *Triggers) Close() {
	t.mu.Lock()
	t.closed = true
	if t.stop != nil {
		t.stop()
	}
	t.mu.Unlock()
	t.running.Wait()
}

// Run keeps triggers until ctx ends or Close is called, and leaves nothing
// running. It is called once.
func (t *Triggers) Run(ctx context.Context) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	ctx, t.stop = context.WithCancel(ctx)
	t.running.Add(1)
	t.mu.Unlock()
	defer t.running.Done()
	t.run(ctx)
}

func (t *Triggers) run(ctx context.Context) {
	defer t.keepers.Wait()
	for !t.findHeld(ctx) {
		if ctx.Err() != nil {
			return
		}
	}
	for {
		names, view := t.Notes.take()
		for record := range names {
			t.look(ctx, record)
		}
		if view {
			for record, k := range t.held {
				t.settle(ctx, record, k)
			}
		}
		select {
		case <-t.Notes.some:
		case <-ctx.Done():
			return
		}
	}
}

// findHeld notes the triggers that the store had before this node started.
func (t *Triggers) findHeld(ctx context.Context) bool {
	const page = 1000
	for after, more := "", true; more; {
		keys, others, err := t.Local.List(ctx, mesh.SystemNamespace, definitions, after, page)
		if err != nil {
			t.pause(ctx, &mesh.Trigger{}, err)
			return false
		}
		for _, info := range keys {
			t.Notes.note(info.Name)
			after = info.Name
		}
		more = others
	}
	return true
}

// look takes up what became of a trigger: it is there, in this form or
// another, or no more.
func (t *Triggers) look(ctx context.Context, record string) {
	k := t.held[record]
	cell, _, err := t.Local.Get(recordKey(record))
	if _, exists := cell.Value(); err == nil && (!exists || cell.Expired(time.Now)) {
		if k != nil {
			k.leave()
			delete(t.held, record)
		}
		return
	}
	if k == nil {
		k = &keeping{}
		t.held[record] = k
	}
	k.leave() // a keeper that begins anew reads it
	t.settle(ctx, record, k)
}

func (k *keeping) leave() {
	if k.stop != nil {
		k.stop()
		k.stop = nil
	}
}

// settle makes this node the keeper of a trigger, or not, as the view says.
func (t *Triggers) settle(ctx context.Context, record string, k *keeping) {
	owners := t.Placement.Owners(recordKey(record), 1)
	switch mine := len(owners) > 0 && owners[0] == t.Self; {
	case !mine:
		k.leave()
	case k.stop == nil:
		keeping, stop := context.WithCancel(ctx)
		before, ended := k.ended, make(chan struct{})
		k.stop, k.ended = stop, ended
		t.keepers.Go(func() {
			defer close(ended)
			defer stop()
			if before != nil {
				<-before
			}
			t.keep(keeping, record)
		})
	}
}
