package link

import (
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh/admission"
)

// Sent is how many bytes of frames an endpoint has handed to QUIC, ever, by
// who they were for. What QUIC adds, and sends again, is not in it.
type Sent struct {
	ToNodes, ToClients uint64
}

// sentBytes counts what becomes Sent.
type sentBytes struct {
	toNodes, toClients atomic.Uint64
}

func (s *sentBytes) to(role admission.Role) *atomic.Uint64 {
	if role == admission.Node {
		return &s.toNodes
	}
	return &s.toClients
}

// Sent tells how much was sent until now, over all connections.
func (e *Endpoint) Sent() Sent {
	return Sent{ToNodes: e.sent.toNodes.Load(), ToClients: e.sent.toClients.Load()}
}

// countedStream counts the bytes that go to a peer.
type countedStream struct {
	sendStream
	sent *atomic.Uint64
}

func (c *Conn) counted(stream sendStream) sendStream {
	return countedStream{stream, c.endpoint.sent.to(c.peer.Role)}
}

func (s countedStream) Write(b []byte) (int, error) {
	n, err := s.sendStream.Write(b)
	s.sent.Add(uint64(n))
	return n, err
}

func (s countedStream) TryWriteAll(b []byte) error {
	err := s.sendStream.TryWriteAll(b)
	if err == nil {
		s.sent.Add(uint64(len(b)))
	}
	return err
}
