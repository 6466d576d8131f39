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

// countedStream counts the bytes that go to a peer. They are counted before
// they are handed on: who has an answer finds it counted.
type countedStream struct {
	sendStream
	sent *atomic.Uint64
}

func (c *Conn) counted(stream sendStream) sendStream {
	return countedStream{stream, c.endpoint.sent.to(c.peer.Role)}
}

func (s countedStream) Write(b []byte) (int, error) {
	s.sent.Add(uint64(len(b)))
	n, err := s.sendStream.Write(b)
	s.takeBack(len(b) - n)
	return n, err
}

func (s countedStream) TryWriteAll(b []byte) error {
	s.sent.Add(uint64(len(b)))
	err := s.sendStream.TryWriteAll(b)
	if err != nil {
		s.takeBack(len(b))
	}
	return err
}

// takeBack leaves bytes out of the count that were not sent.
func (s countedStream) takeBack(n int) { s.sent.Add(-uint64(n)) }
