package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// hostilePeer is a member that has said Hello and then does as the test says.
type hostilePeer struct {
	t        *testing.T
	qc       *quic.Conn
	requests *quic.Stream // its own stream
	incoming *quic.Stream // the endpoint's
	answers  *frameReader
}

// infiltrate connects a hostile peer with these QUIC settings to e.
func (m testMesh) infiltrate(t *testing.T, e *Endpoint, settings *quic.Config) *hostilePeer {
	t.Helper()
	p := m.intrude(t, e, settings)
	id := m.root.MeshID()
	p.send(wire.Header{Flags: wire.OneWay}, &pb.Hello{MinVersion: 1, MaxVersion: 1, MeshId: id[:]})
	var err error
	if p.incoming, err = p.qc.AcceptStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	hello := &frameReader{stream: p.incoming}
	if h, _, err := hello.next(); err != nil || h.Type != 1 {
		t.Fatalf("%+v, %v: expected Hello", h, err)
	}
	return p
}

// intrude is infiltrate without Hello.
func (m testMesh) intrude(t *testing.T, e *Endpoint, settings *quic.Config) *hostilePeer {
	t.Helper()
	credential := m.credential(admission.Node)
	qc, err := newRawPeer(t, credential.Key(), credential.Chain()).dial(t.Context(), e, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { qc.CloseWithError(0, "the test is over") })
	stream, err := qc.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	return &hostilePeer{t: t, qc: qc, requests: stream, answers: &frameReader{stream: stream}}
}

func (p *hostilePeer) send(h wire.Header, m wire.Message) {
	p.t.Helper()
	frame, err := wire.AppendFrame(nil, h, m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(frame)
}

func (p *hostilePeer) write(raw []byte) {
	p.t.Helper()
	if _, err := p.requests.Write(raw); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads the next reply.
func (p *hostilePeer) answer() (uint64, wire.Message) {
	p.t.Helper()
	p.requests.SetReadDeadline(time.Now().Add(20 * time.Second))
	h, body, err := p.answers.next()
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := wire.ParseBody(h.Type, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return h.ID, m
}

// wantError reads the next reply, which must be an error to request id.
func (p *hostilePeer) wantError(id uint64, kind mesh.ErrorKind) {
	p.t.Helper()
	got, m := p.answer()
	if e, ok := m.(*pb.Error); !ok || got != id || mesh.ErrorKind(e.Kind) != kind {
		p.t.Fatalf("reply to %d is %T %v: expected error %s to %d", got, m, m, kind, id)
	}
}

// wantEcho shows that the connection still works.
func (p *hostilePeer) wantEcho(id uint64) {
	p.t.Helper()
	p.send(wire.Header{ID: id}, &pb.Put{Op: []byte("still here")})
	if got, m := p.answer(); got != id || string(cellOf(m)) != "still here" {
		p.t.Fatalf("reply to %d is %v: expected an echo to %d", got, m, id)
	}
}

// wantClosed waits until the endpoint closes the connection for that reason.
func (p *hostilePeer) wantClosed(kind mesh.ErrorKind) {
	p.t.Helper()
	select {
	case <-p.qc.Context().Done():
		wantKind(p.t, reasonOf(context.Cause(p.qc.Context()), ""), kind)
	case <-time.After(20 * time.Second):
		p.t.Fatal("the connection stays open")
	}
}

func frameOf(t *testing.T, h wire.Header, m wire.Message) []byte {
	t.Helper()
	frame, err := wire.AppendFrame(nil, h, m)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestBrokenFramesCloseTheConnection(t *testing.T) {
	m := newTestMesh(t)
	e := m.node()
	whole := frameOf(t, wire.Header{ID: 1}, &pb.Put{Op: []byte("0123456789")})
	oversized := bytes.Clone(whole)
	binary.BigEndian.PutUint32(oversized, maxSmallBody+1)
	for name, attack := range map[string]func(p *hostilePeer){
		"garbage":          func(p *hostilePeer) { p.write(bytes.Repeat([]byte{0xff}, 64)) },
		"too long a body":  func(p *hostilePeer) { p.write(oversized) },
		"ends in a header": func(p *hostilePeer) { p.write(whole[:7]); p.requests.Close() },
		"ends in a body":   func(p *hostilePeer) { p.write(whole[:len(whole)-1]); p.requests.Close() },
		"ends":             func(p *hostilePeer) { p.requests.Close() },
		"reply to nothing": func(p *hostilePeer) { p.send(wire.Header{ID: 1, Flags: wire.Reply}, &pb.Done{}) },
		"requests back":    func(p *hostilePeer) { p.incoming.Write(whole) },
		"ends our replies": func(p *hostilePeer) { p.incoming.Close() },
		"garbage as reply": func(p *hostilePeer) { p.incoming.Write(bytes.Repeat([]byte{0xff}, 64)) },
		"too long a reply": func(p *hostilePeer) { p.incoming.Write(oversized) },
		"cut-off reply":    func(p *hostilePeer) { p.incoming.Write(whole[:25]); p.incoming.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p := m.infiltrate(t, e, Limits{}.QUIC())
			attack(p)
			p.wantClosed(mesh.Invalid)
		})
	}
}

func TestWrongHellosCloseTheConnection(t *testing.T) {
	m := newTestMesh(t)
	e := m.node(func(c *Config) { c.Limits.HandshakeTimeout = 300 * time.Millisecond })
	id := m.root.MeshID()
	for name, test := range map[string]struct {
		first wire.Message // nil: nothing is said
		kind  mesh.ErrorKind
	}{
		"another message": {&pb.Ping{}, mesh.Invalid},
		"another mesh":    {&pb.Hello{MinVersion: 1, MaxVersion: 1, MeshId: []byte("elsewhere")}, mesh.Denied},
		"another version": {&pb.Hello{MinVersion: 7, MaxVersion: 9, MeshId: id[:]}, mesh.Conflict},
		"many addresses":  {&pb.Hello{MinVersion: 1, MaxVersion: 1, MeshId: id[:], Addrs: make([]string, maxHelloAddrs+1)}, mesh.Invalid},
		"silence":         {nil, mesh.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := m.intrude(t, e, Limits{}.QUIC())
			if test.first != nil {
				p.send(wire.Header{Flags: wire.OneWay}, test.first)
			}
			p.wantClosed(test.kind)
		})
	}
	if n := len(e.Conns()); n != 0 {
		t.Errorf("%d connections stand", n)
	}
}

func TestMessagesThatCannotBeServedAreAnswered(t *testing.T) {
	m := newTestMesh(t)
	p := m.infiltrate(t, m.node(), Limits{}.QUIC())

	unknown := frameOf(t, wire.Header{ID: 1}, &pb.Done{})
	binary.BigEndian.PutUint16(unknown[4:], 9999)
	p.write(unknown)
	p.wantError(1, mesh.Invalid)

	malformed := wire.Header{ID: 2, Type: wire.TypeOf(&pb.Put{}), Length: 3}
	raw := make([]byte, wire.HeaderSize, wire.HeaderSize+3)
	malformed.Put(raw)
	p.write(append(raw, 0xff, 0xff, 0xff))
	p.wantError(2, mesh.Invalid)

	p.send(wire.Header{ID: 3, Flags: wire.OneWay}, &pb.Cancel{}) // of nothing
	binary.BigEndian.PutUint16(unknown[4:], 9999)
	unknown[6] = byte(wire.OneWay)
	p.write(unknown) // one way: no answer
	p.wantEcho(4)
}

func TestBrokenLargeFramesAreAnswered(t *testing.T) {
	m := newTestMesh(t)
	e := m.node(func(c *Config) { c.Limits.MaxFrame = 1 << 20 })
	p := m.infiltrate(t, e, Limits{}.QUIC())
	alone := func(raw []byte) {
		t.Helper()
		stream, err := p.qc.OpenUniStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(raw) // it may be refused on the way
		stream.Close()
	}
	body := &pb.Put{Op: make([]byte, 100_000)}
	whole := frameOf(t, wire.Header{ID: 1}, body)

	alone(whole[:len(whole)-1])
	p.wantError(1, mesh.Invalid)
	alone(append(bytes.Clone(whole), 0))
	p.wantError(1, mesh.Invalid)
	tooLong := bytes.Clone(whole)
	binary.BigEndian.PutUint32(tooLong, 1<<20+1)
	alone(tooLong)
	p.wantError(1, mesh.Invalid)
	alone(frameOf(t, wire.Header{ID: 2}, &pb.Cancel{}))
	p.wantError(2, mesh.Invalid)
	for range 3 * maxLargeStreams { // more than there may be at once: none must stay open
		alone(whole[:10])
		alone(frameOf(t, wire.Header{ID: 77, Flags: wire.Reply}, body)) // nobody waits for it
	}
	p.wantEcho(3)
}

func TestLargeFramesAreBoundedInMemory(t *testing.T) {
	m := newTestMesh(t)
	hold := make(chan struct{})
	e := m.node(func(c *Config) {
		c.Limits.MaxFrame, c.Limits.LargeBytes = 1<<20, 1<<20+1<<19
		c.Handler = handler(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
			<-hold
			return nil, nil
		})
	})
	c := m.connect(m.node(), e)
	results := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.Call(t.Context(), &pb.Put{Op: make([]byte, 1<<20-100)}); results <- err }()
	}
	wantKind(t, <-results, mesh.Overloaded)
	close(hold)
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), &pb.Put{Op: make([]byte, 1<<20-100)}); err != nil {
		t.Fatalf("after the first was served: %v", err)
	}
}

func TestFloodIsAnsweredWithOverloaded(t *testing.T) {
	const flood, atOnce = 2000, 8
	m := newTestMesh(t)
	var serving, most atomic.Int32
	hold := make(chan struct{})
	e := m.node(func(c *Config) {
		c.Limits.InFlight = atOnce
		c.Handler = handler(func(context.Context, *Conn, wire.Message) (wire.Message, error) {
			most.Store(max(most.Load(), serving.Add(1)))
			<-hold
			serving.Add(-1)
			return nil, nil
		})
	})
	p := m.infiltrate(t, e, Limits{}.QUIC())
	go func() {
		frame := frameOf(t, wire.Header{ID: 1}, &pb.Put{})
		p.requests.Write(bytes.Repeat(frame, flood))
	}()
	for range flood - atOnce {
		p.wantError(1, mesh.Overloaded)
	}
	close(hold)
	for range atOnce {
		if _, m := p.answer(); m.ProtoReflect().Descriptor().Name() != "Done" {
			t.Fatalf("%v: expected Done", m)
		}
	}
	if most.Load() > atOnce {
		t.Errorf("%d requests were served at once: expected at most %d", most.Load(), atOnce)
	}
}

// impatient are limits for peers that do not read.
func impatient(c *Config) {
	c.Limits.WriteTimeout, c.Limits.CheckInterval = 300*time.Millisecond, 20*time.Millisecond
	c.Limits.PendingBytes = 64 << 10
}

// narrow are the settings of a peer that takes little before it reads.
func narrow() *quic.Config {
	c := Limits{}.QUIC()
	c.InitialStreamReceiveWindow, c.MaxStreamReceiveWindow = 8<<10, 8<<10
	return c
}

func TestPeerThatReadsNoRepliesIsClosed(t *testing.T) {
	m := newTestMesh(t)
	for name, req := range map[string]wire.Message{
		"inline":  &pb.Merge{Delta: make([]byte, 10_000)},
		"spawned": &pb.Put{Op: make([]byte, 10_000)},
	} {
		t.Run(name, func(t *testing.T) {
			p := m.infiltrate(t, m.node(impatient), narrow())
			frame := frameOf(t, wire.Header{ID: 1}, req)
			for range 1000 {
				if _, err := p.requests.Write(frame); err != nil {
					break // closed meanwhile
				}
			}
			p.wantClosed(mesh.Unavailable)
		})
	}
}

func TestPeerThatReadsNoRequestsIsClosed(t *testing.T) {
	m := newTestMesh(t)
	e := m.node(impatient)
	p := m.infiltrate(t, e, narrow())
	c := e.Conns()[0]
	const callers = 50
	results := make(chan error, callers)
	for i := range callers {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Millisecond+time.Millisecond)
			defer cancel()
			_, err := c.Call(ctx, &pb.Put{Op: make([]byte, 10_000)})
			results <- err
		}()
	}
	for range callers {
		if kind := mesh.KindOf(<-results); kind != mesh.DeadlineExceeded && kind != mesh.Unavailable {
			t.Errorf("a call ended with %s", kind)
		}
	}
	p.wantClosed(mesh.Unavailable)
}

func TestPeerThatAnswersNothing(t *testing.T) {
	m := newTestMesh(t)
	e := m.node()
	p := m.infiltrate(t, e, Limits{}.QUIC())
	c := e.Conns()[0]
	go io.Copy(io.Discard, p.incoming)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := c.Call(ctx, &pb.Put{})
	wantKind(t, err, mesh.DeadlineExceeded)
	if c.calls.waits(1) {
		t.Error("the call is still waited for")
	}
	p.incoming.Write(frameOf(t, wire.Header{ID: 1, Flags: wire.Reply}, &pb.Done{})) // late: dropped
	p.incoming.Write(frameOf(t, wire.Header{ID: 99, Flags: wire.Reply}, &pb.Done{}))
	p.wantEcho(1)
}

func TestRepliesThatAreTooLargeAreErrors(t *testing.T) {
	m := newTestMesh(t)
	b := m.node(serving(func(context.Context, *Conn, wire.Message) (wire.Message, error) {
		return &pb.FetchReply{Cell: make([]byte, 2<<20)}, nil
	}), func(c *Config) { c.Limits.MaxFrame = 1 << 20 })
	c := m.connect(m.node(), b)
	_, err := c.Call(t.Context(), &pb.Put{})
	wantKind(t, err, mesh.Invalid)
	small := m.node(func(c *Config) { c.Limits.MaxFrame = 1 << 20 })
	_, err = m.connect(small, m.node(serving(func(context.Context, *Conn, wire.Message) (wire.Message, error) {
		return &pb.FetchReply{Cell: make([]byte, 2<<20)}, nil
	}))).Call(t.Context(), &pb.Put{})
	wantKind(t, err, mesh.Invalid)
	_, err = m.connect(small, b).Call(t.Context(), &pb.Put{Op: make([]byte, 2<<20)})
	wantKind(t, err, mesh.Invalid)
}
