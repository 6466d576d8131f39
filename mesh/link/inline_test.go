package link

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// laterEcho answers a Put with its operation at the next pause; but one named
// "wait" on a goroutine of its own.
type laterEcho struct {
	mu      sync.Mutex
	waiting []func()
	pauses  int
}

func (*laterEcho) Inline(wire.Type) bool { return true }

func (l *laterEcho) Serve(ctx context.Context, _ *Conn, req wire.Message) (wire.Message, error) {
	put := req.(*pb.Put)
	answer := &pb.FetchReply{Cell: put.Op}
	later := Defer(ctx, l.pause)
	if (later != nil) != IsInline(ctx) {
		return nil, mesh.Errorf(mesh.Internal, "serve", "deferred: %v", later != nil)
	}
	switch {
	case later == nil:
		return answer, nil
	case put.Key.GetName() == "wait":
		return nil, ErrMustWait
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, func() {
		if put.Key.GetName() == "fail" {
			later.Reply(nil, mesh.Errorf(mesh.Conflict, "put", "no"))
			return
		}
		later.Reply(answer, nil)
	})
	return nil, nil
}

func (l *laterEcho) pause() {
	l.mu.Lock()
	waiting := l.waiting
	l.waiting = nil
	l.pauses++
	l.mu.Unlock()
	for _, answer := range waiting {
		answer()
	}
}

func TestWhatIsDeferredIsAnsweredLater(t *testing.T) {
	m := newTestMesh(t)
	echo := &laterEcho{}
	c := m.connect(m.client(), m.node(func(c *Config) { c.Handler = echo }))
	var calls sync.WaitGroup
	const callers, each = 64, 50
	for caller := range callers {
		calls.Go(func() {
			for i := range each {
				size := 10 + (i%3)*maxSoon
				reply, err := c.Call(t.Context(), &pb.Put{Key: &pb.Key{Name: []string{"", "wait"}[i%2]}, Op: make([]byte, size)})
				if err != nil || len(cellOf(reply)) != size {
					t.Errorf("caller %d, call %d: %v", caller, i, err)
				}
			}
		})
	}
	calls.Wait()
	echo.mu.Lock() // there may be a pause yet to come, of what has been answered at the one before
	pauses := echo.pauses
	echo.mu.Unlock()
	if deferred := callers * each / 2; pauses == 0 || pauses > deferred {
		t.Errorf("%d pauses after %d deferred requests", pauses, deferred)
	}
	_, err := c.Call(t.Context(), &pb.Put{Key: &pb.Key{Name: "fail"}})
	wantKind(t, err, mesh.Conflict)
	if err := c.Send(t.Context(), &pb.Put{Key: &pb.Key{Name: "fail"}}); err != nil { // nobody is told
		t.Error(err)
	}
}

func TestNoMoreIsDeferredThanMayBeServed(t *testing.T) {
	const most = 4
	m := newTestMesh(t)
	later := make(chan *Later, 2*most)
	node := m.node(func(c *Config) {
		c.Limits.InFlight = most
		c.Handler = deferring(later)
	})
	c := m.connect(m.client(), node)
	results := make(chan error, most)
	for range most {
		go func() { _, err := c.Call(context.Background(), &pb.Status{}); results <- err }()
	}
	var replies []*Later
	for range most {
		replies = append(replies, <-later)
	}
	_, err := c.Call(t.Context(), &pb.Status{})
	wantKind(t, err, mesh.Overloaded)
	for _, reply := range replies {
		reply.Reply(&pb.Done{}, nil)
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	go func() { (<-later).Reply(nil, nil) }()
	if _, err := c.Call(t.Context(), &pb.Status{}); err != nil {
		t.Errorf("after all were answered: %v", err)
	}
}

// deferring hands on how to answer what it is asked.
type deferring chan<- *Later

func (deferring) Inline(wire.Type) bool { return true }

func (d deferring) Serve(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
	later := Defer(ctx, nil)
	if later == nil {
		return nil, ErrMustWait
	}
	d <- later
	return nil, nil
}

func TestAnAnswerAfterTheEndOfTheConnectionIsDropped(t *testing.T) {
	m := newTestMesh(t)
	later := make(chan *Later, 1)
	node := m.node(func(c *Config) { c.Handler = deferring(later) })
	client := m.client()
	c := m.connect(client, node)
	failed := make(chan error)
	go func() { _, err := c.Call(context.Background(), &pb.Status{}); failed <- err }()
	request := <-later
	c.CloseWithReason(mesh.Errorf(mesh.Cancelled, "test", "enough"))
	wantKind(t, <-failed, mesh.Unavailable)
	for _, theirs := range node.Conns() {
		<-theirs.Done()
	}
	ended := make(chan struct{})
	request.WhenEnded(func() { close(ended) })
	<-ended
	if ctx, cancel := request.Context(); ctx.Err() == nil {
		t.Error("the context of a request lives on")
		cancel()
	}
	request.Reply(&pb.FetchReply{Cell: make([]byte, 2*maxSoon)}, nil)
}

func TestADeferredRequestEndsWithItsCancel(t *testing.T) {
	m := newTestMesh(t)
	later := make(chan *Later, 1)
	c := m.connect(m.client(), m.node(func(c *Config) { c.Handler = deferring(later) }))
	for _, wait := range []func(*Later){
		func(l *Later) {
			ended := make(chan struct{})
			l.WhenEnded(func() { close(ended) })
			<-ended
		},
		func(l *Later) {
			ctx, cancel := l.Context()
			defer cancel()
			<-ctx.Done()
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { _, err := c.Call(ctx, &pb.Status{}); failed <- err }()
		request := <-later
		cancel()
		wantKind(t, <-failed, mesh.Cancelled)
		wait(request)
		request.Reply(nil, nil)
	}
}

// BenchmarkServe is what a small request costs both sides together, served on
// the reading goroutine, on another one, and answered at the next pause.
func BenchmarkServe(b *testing.B) {
	for name, h := range map[string]Handler{
		"inline": echo{},
		"later":  &laterEcho{},
		"waiting": handler(func(ctx context.Context, c *Conn, req wire.Message) (wire.Message, error) {
			return echo{}.Serve(ctx, c, req)
		}),
	} {
		for _, callers := range []int{1, 128} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				m := newTestMesh(b)
				c := m.connect(m.client(), m.node(func(c *Config) { c.Handler = h }))
				var req wire.Message = &pb.Put{Op: make([]byte, 100)}
				if name == "inline" {
					req = &pb.Merge{Delta: make([]byte, 100)}
				}
				b.ReportAllocs()
				b.SetParallelism((callers + 1) / 2)
				b.RunParallel(func(next *testing.PB) {
					ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
					defer cancel()
					for next.Next() {
						if _, err := c.Call(ctx, req); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
