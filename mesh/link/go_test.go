package link

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// outcome is what a done function was told.
type outcome struct {
	reply wire.Message
	err   error
}

// collect gives a done function, and where its outcomes go.
func collect(most int) (done func(wire.Message, error), outcomes chan outcome) {
	outcomes = make(chan outcome, most)
	return func(m wire.Message, err error) { outcomes <- outcome{m, err} }, outcomes
}

func TestGoCarriesAllSizes(t *testing.T) {
	m := newTestMesh(t)
	c := m.connect(m.node(), m.node())
	for _, size := range []int{0, 100, maxSmallBody, maxSmallBody + 1, 1 << 20} {
		body := bytes.Repeat([]byte{7}, size)
		for _, req := range []wire.Message{&pb.Merge{Delta: body}, &pb.Put{Op: body}} {
			done, outcomes := collect(1)
			c.Go(t.Context(), req, done)
			if got := <-outcomes; got.err != nil || !bytes.Equal(cellOf(got.reply), body) {
				t.Fatalf("%T of %d bytes: %d bytes, %v", req, size, len(cellOf(got.reply)), got.err)
			}
		}
	}
}

func TestGoTellsThePeersError(t *testing.T) {
	m := newTestMesh(t)
	c := m.connect(m.node(), m.node())
	done, outcomes := collect(1)
	c.Go(t.Context(), &pb.Status{}, done)
	wantKind(t, (<-outcomes).err, mesh.Invalid)
}

func TestGoEndsWithItsContext(t *testing.T) {
	m := newTestMesh(t)
	started, ended := make(chan struct{}, 1), make(chan struct{})
	b := m.node(serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
		started <- struct{}{}
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}))
	c := m.connect(m.node(), b)
	ctx, cancel := context.WithCancel(t.Context())
	done, outcomes := collect(1)
	c.Go(ctx, &pb.Status{}, done)
	<-started
	cancel()
	wantKind(t, (<-outcomes).err, mesh.Cancelled)
	<-ended

	c.Go(ctx, &pb.Status{}, done)
	wantKind(t, (<-outcomes).err, mesh.Cancelled)
}

func TestGoEndsWithItsConnection(t *testing.T) {
	m := newTestMesh(t)
	started := make(chan struct{}, 1)
	b := m.node(serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	c := m.connect(m.node(), b)
	done, outcomes := collect(1)
	c.Go(t.Context(), &pb.Status{}, done)
	<-started
	c.CloseWithReason(errors.New("enough"))
	wantKind(t, (<-outcomes).err, mesh.Unavailable)

	<-c.Done()
	c.Go(t.Context(), &pb.Status{}, done)
	wantKind(t, (<-outcomes).err, mesh.Unavailable)
}

// Replies, cancellations and the end of the connection race for each call:
// exactly one of them may tell done.
func TestGoTellsExactlyOnce(t *testing.T) {
	const calls = 500
	m := newTestMesh(t)
	c := m.connect(m.node(), m.node())
	var lock sync.Mutex
	told := make([]int, calls)
	var all sync.WaitGroup
	all.Add(calls)
	for i := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		go c.Go(ctx, &pb.Put{Op: []byte("x")}, func(wire.Message, error) {
			lock.Lock()
			defer lock.Unlock()
			if told[i]++; told[i] == 1 {
				all.Done()
			}
		})
		go cancel()
		if i == calls/2 {
			go c.CloseWithReason(errors.New("enough"))
		}
	}
	all.Wait()
	c.endpoint.Close()
	lock.Lock()
	defer lock.Unlock()
	for i, n := range told {
		if n != 1 {
			t.Errorf("call %d was told %d times", i, n)
		}
	}
}
