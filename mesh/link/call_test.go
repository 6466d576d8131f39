package link

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestCallsOfAllSizesBothWays(t *testing.T) {
	m := newTestMesh(t)
	up := newUpsAndDowns()
	a, b := m.node(), m.node(func(c *Config) { c.Observer = up })
	ab := m.connect(a, b)
	up.await(t, "up", func(ups []*Conn, _ map[*Conn]error) bool { return len(ups) == 1 })
	ba, ok := b.Conn(a.ID())
	if !ok {
		t.Fatal("b has no connection to a")
	}
	for _, c := range []*Conn{ab, ba} {
		for _, size := range []int{0, 1, 100, 1500, maxSmallBody - 10, maxSmallBody, maxSmallBody + 1, 1 << 20} {
			body := make([]byte, size)
			rand.Read(body)
			for _, req := range []wire.Message{&pb.Merge{Delta: body}, &pb.Put{Op: body}} {
				reply, err := c.Call(t.Context(), req)
				if err != nil {
					t.Fatalf("%T of %d bytes: %v", req, size, err)
				}
				if got := cellOf(reply); !bytes.Equal(got, body) {
					t.Fatalf("%T of %d bytes came back as %d other bytes", req, size, len(got))
				}
			}
		}
	}
}

func cellOf(m wire.Message) []byte {
	switch m := m.(type) {
	case *pb.MergeReply:
		return m.Cell
	case *pb.FetchReply:
		return m.Cell
	}
	return nil
}

func TestErrorsOfThePeer(t *testing.T) {
	m := newTestMesh(t)
	a, b := m.node(), m.node()
	_, err := m.connect(a, b).Call(t.Context(), &pb.Status{})
	wantKind(t, err, mesh.Invalid)
	if e := mesh.AsError("", err); e.Node != b.ID() || e.Op != "serve" {
		t.Errorf("error %+v: expected node %s and operation serve", e, b.ID())
	}
}

func TestNilReplyIsDone(t *testing.T) {
	m := newTestMesh(t)
	b := m.node(serving(func(context.Context, *Conn, wire.Message) (wire.Message, error) { return nil, nil }))
	reply, err := m.connect(m.node(), b).Call(t.Context(), &pb.Status{})
	if _, ok := reply.(*pb.Done); !ok || err != nil {
		t.Errorf("%T, %v: expected Done", reply, err)
	}
}

func TestDeadlineAndCancelReachTheHandler(t *testing.T) {
	m := newTestMesh(t)
	ended := make(chan error, 1)
	deadline := make(chan time.Time, 1)
	b := m.node(serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
		d, _ := ctx.Deadline()
		deadline <- d
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}))
	c := m.connect(m.node(), b)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	result := make(chan error, 1)
	go func() { _, err := c.Call(ctx, &pb.Status{}); result <- err }()
	if left := time.Until(<-deadline); left < 50*time.Second || left > time.Minute {
		t.Errorf("the handler has %v: expected a minute", left)
	}
	cancel()
	wantKind(t, <-result, mesh.Cancelled)
	if err := <-ended; err != context.Canceled {
		t.Errorf("the handler's context ended with %v", err)
	}

	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Call(short, &pb.Status{})
	wantKind(t, err, mesh.DeadlineExceeded)
	<-ended
}

func TestLostConnectionFailsAllWaiters(t *testing.T) {
	m := newTestMesh(t)
	arrived := make(chan *Conn, 8)
	b := m.node(serving(func(ctx context.Context, from *Conn, _ wire.Message) (wire.Message, error) {
		arrived <- from
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	c := m.connect(m.node(), b)
	results := make(chan error, 3)
	for range 3 {
		go func() { _, err := c.Call(context.Background(), &pb.Status{}); results <- err }()
	}
	var from *Conn
	for range 3 {
		from = <-arrived
	}
	from.CloseWithReason(mesh.Errorf(mesh.Denied, "test", "enough of you"))
	for range 3 {
		wantKind(t, <-results, mesh.Unavailable)
	}
	<-c.Done()
	wantKind(t, c.Err(), mesh.Denied)
	_, err := c.Call(t.Context(), &pb.Status{})
	wantKind(t, err, mesh.Unavailable)
	wantKind(t, c.Send(t.Context(), &pb.Status{}), mesh.Unavailable)
}

func TestOneWayMessagesKeepTheirOrder(t *testing.T) {
	const n = 20_000
	m := newTestMesh(t)
	got := make(chan string, n)
	b := m.node(func(c *Config) { c.Handler = inOrder{got} })
	c := m.connect(m.client(), b)
	for i := range n {
		if err := c.Send(t.Context(), &pb.GetDAG{Name: string(rune(i))}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if name := <-got; name != string(rune(i)) {
			t.Fatalf("message %d is %q", i, name)
		}
	}
}

// inOrder passes on the names that it is sent.
type inOrder struct{ got chan<- string }

func (inOrder) Inline(wire.Type) bool { return true }

func (h inOrder) Serve(_ context.Context, _ *Conn, req wire.Message) (wire.Message, error) {
	h.got <- req.(*pb.GetDAG).Name
	return nil, nil
}

func TestNodesCallTheirClients(t *testing.T) {
	m := newTestMesh(t)
	node := m.node(serving(func(ctx context.Context, from *Conn, req wire.Message) (wire.Message, error) {
		return from.Call(ctx, req) // back to who asked
	}))
	c := m.connect(m.client(), node)
	for _, size := range []int{10, 200_000} {
		reply, err := c.Call(t.Context(), &pb.Put{Op: make([]byte, size)})
		if err != nil || len(cellOf(reply)) != size {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if addrs := node.Conns()[0].PeerAddrs(); len(addrs) != 0 {
		t.Errorf("a client says that it listens at %v", addrs)
	}
}

func TestCancelledLargeRequestsLeaveAtOnce(t *testing.T) {
	m := newTestMesh(t)
	e := m.node()
	m.infiltrate(t, e, narrow()) // takes no stream, and reads nothing
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Conns()[0].Call(ctx, &pb.Put{Op: make([]byte, 1<<20)})
	wantKind(t, err, mesh.DeadlineExceeded)
}
