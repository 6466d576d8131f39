package watch

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxWaitMs bounds how long a watcher may ask to wait, in milliseconds.
const maxWaitMs = 60_000

// Watches serves watchers, and the nodes that they ask. It is safe for
// concurrent use.
type Watches struct {
	Options
	waiting chan struct{} // a place for each watcher

	mu      sync.Mutex
	ended   bool
	end     context.CancelFunc
	ending  context.Context
	serving sync.WaitGroup
}

// New makes it. Close ends what waits.
func New(o Options) *Watches {
	o = o.withDefaults()
	w := &Watches{Options: o, waiting: make(chan struct{}, o.Watchers)}
	w.ending, w.end = context.WithCancel(context.Background())
	return w
}

// Close answers those who wait with Unavailable, and returns when nobody is
// served any more.
func (w *Watches) Close() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.end()
	w.serving.Wait()
}

// enter makes Close end the context of a request, and wait until leave.
func (w *Watches) enter(ctx context.Context) (within context.Context, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, nil, errEnded()
	}
	w.serving.Add(1)
	within, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(w.ending, func() { cancel(errEnded()) })
	return within, func() { stop(); cancel(nil); w.serving.Done() }, nil
}

func errEnded() error {
	return mesh.Errorf(mesh.Unavailable, "watch", "this node is stopping")
}

// Handle answers a client with the changes since its token; without a token,
// with one from which to go on. It waits for a first change as long as it is
// asked to, at most a minute.
//
// Errors: Invalid for a token of other keys; Overloaded when too many wait;
// Unavailable when no node can be asked.
func (w *Watches) Handle(ctx context.Context, m *pb.Watch) (*pb.WatchReply, error) {
	s := scope{m.Namespace, m.Prefix, m.Exact}
	if err := s.validate(); err != nil {
		return nil, err
	}
	from, began := places{}, len(m.Token) == 0
	if !began {
		var err error
		if from, err = decodeToken(s, m.Token); err != nil {
			return nil, err
		}
	}
	ctx, leave, err := w.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	select {
	case w.waiting <- struct{}{}:
		defer func() { <-w.waiting }()
	default:
		return nil, mesh.Errorf(mesh.Overloaded, "watch", "%d watchers wait at this node already", w.Watchers)
	}
	g := newGathering(from, began)
	deadline := time.Now().Add(time.Duration(min(m.WaitMs, maxWaitMs)) * time.Millisecond)
	if err := w.gather(ctx, s, g, deadline); err != nil {
		return nil, err
	}
	return w.reply(s, g)
}

// reply is what the watcher is told.
func (w *Watches) reply(s scope, g *gathering) (*pb.WatchReply, error) {
	after, events := g.outcome()
	token, err := encodeToken(s, after, w.Placement.Live())
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "watch", "%w", err)
	}
	reply := &pb.WatchReply{Token: token, Lagged: g.lagged()}
	for _, e := range events {
		told := &pb.WatchEvent{Name: e.name, Omitted: e.omitted}
		if value, exists := e.cell.Value(); !exists {
			told.Expired = e.cell.ResetByExpiry() && !e.omitted
		} else if !e.omitted {
			told.Value = value.AppendBinary(nil)
		}
		reply.Events = append(reply.Events, told)
	}
	return reply, nil
}
