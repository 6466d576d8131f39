package link

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// testMesh admits the peers of one test.
type testMesh struct {
	t    testing.TB
	root admission.Root
}

func newTestMesh(t testing.TB) testMesh { return testMesh{t: t, root: admission.NewRoot()} }

// credential admits a new peer for an hour.
func (m testMesh) credential(role admission.Role) admission.Credential {
	m.t.Helper()
	return m.credentialFor(admission.Grant{Role: role, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(time.Hour)})
}

func (m testMesh) credentialFor(g admission.Grant) admission.Credential {
	m.t.Helper()
	token, err := m.root.NewToken(g, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := token.Join(admission.NewKey(), g.NotAfter.Add(-time.Second))
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// node opens an endpoint on a free loopback port.
func (m testMesh) node(change ...func(*Config)) *Endpoint {
	m.t.Helper()
	return m.open(admission.Node, append([]func(*Config){func(c *Config) { c.Listen = []string{"127.0.0.1:0"} }}, change...)...)
}

// client opens an endpoint that only dials.
func (m testMesh) client(change ...func(*Config)) *Endpoint {
	m.t.Helper()
	return m.open(admission.Client, change...)
}

func (m testMesh) open(role admission.Role, change ...func(*Config)) *Endpoint {
	m.t.Helper()
	config := Config{Credential: m.credential(role), Handler: echo{}, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&config)
	}
	e, err := Listen(config)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { e.Close() })
	return e
}

// connect dials to from from.
func (m testMesh) connect(from, to *Endpoint) *Conn {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := from.Connect(ctx, to.ID(), to.Addrs())
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// echo answers a Merge with its delta, on the reading goroutine, and a Put
// with its operation, on one of its own.
type echo struct{}

func (echo) Inline(t wire.Type) bool { return t == wire.TypeOf((*pb.Merge)(nil)) }

func (echo) Serve(_ context.Context, _ *Conn, req wire.Message) (wire.Message, error) {
	switch req := req.(type) {
	case *pb.Merge:
		return &pb.MergeReply{Cell: req.Delta}, nil
	case *pb.Put:
		return &pb.FetchReply{Cell: req.Op}, nil
	}
	return nil, mesh.Errorf(mesh.Invalid, "serve", "%T: expected Merge or Put", req)
}

// handler serves everything by one function, off the reading goroutine.
type handler func(ctx context.Context, from *Conn, req wire.Message) (wire.Message, error)

func (handler) Inline(wire.Type) bool { return false }

func (h handler) Serve(ctx context.Context, from *Conn, req wire.Message) (wire.Message, error) {
	return h(ctx, from, req)
}

// serving makes f an endpoint's handler.
func serving(f handler) func(*Config) { return func(c *Config) { c.Handler = f } }

// upsAndDowns is an Observer that remembers what it was told.
type upsAndDowns struct {
	mu    sync.Mutex
	ups   []*Conn
	downs map[*Conn]error
	moved chan struct{} // gets an element, if there is room, for each call
}

func newUpsAndDowns() *upsAndDowns {
	return &upsAndDowns{downs: map[*Conn]error{}, moved: make(chan struct{}, 1)}
}

func (o *upsAndDowns) ConnUp(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ups = append(o.ups, c)
	o.tell()
}

func (o *upsAndDowns) ConnDown(c *Conn, reason error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.downs[c] = reason
	o.tell()
}

func (o *upsAndDowns) tell() {
	select {
	case o.moved <- struct{}{}:
	default:
	}
}

// await waits until the condition, which sees the ups and downs, holds.
func (o *upsAndDowns) await(t *testing.T, what string, condition func(ups []*Conn, downs map[*Conn]error) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		ok := condition(o.ups, o.downs)
		o.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-o.moved:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func wantKind(t *testing.T, err error, kind mesh.ErrorKind) {
	t.Helper()
	if mesh.KindOf(err) != kind || err == nil {
		t.Fatalf("error %v, want kind %s", err, kind)
	}
}

// logBuffer keeps what an endpoint logs.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	written chan struct{} // gets an element, if there is room, for each line
}

func newLogBuffer() *logBuffer { return &logBuffer{written: make(chan struct{}, 1)} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.written <- struct{}{}:
	default:
	}
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

// config makes an endpoint log here.
func (b *logBuffer) config(c *Config) { c.Log = slog.New(slog.NewTextHandler(b, nil)) }

// await waits until the log holds text.
func (b *logBuffer) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.written:
		case <-deadline:
			t.Fatalf("the log does not say %q:\n%s", text, b)
		}
	}
}
