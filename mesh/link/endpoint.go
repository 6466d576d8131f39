package link

import (
	"context"
	"net"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Endpoint is a peer's presence on the network: its sockets, its identity,
// and its connections.
type Endpoint struct {
	config Config
}

// Listen opens the sockets and starts to take connections. The credential
// must be in force.
func Listen(c Config) (*Endpoint, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	return nil, mesh.Errorf(mesh.Unavailable, "link", "being written")
}

// ID is who this endpoint is.
func (e *Endpoint) ID() mesh.NodeID { return e.config.Credential.ID() }

// Member is what its credential makes of it.
func (e *Endpoint) Member() admission.Member { return admission.Member{} }

// Addrs are the addresses that peers are told, as ip:port; none for a client.
func (e *Endpoint) Addrs() []string { return nil }

// Connect gives the connection to the node id: the one that stands, or a new
// one, dialled at any of addrs. With an empty id it takes whichever node
// answers first. It tries again, with growing pauses, until the context ends
// or nothing can come of it: Denied and Invalid end it at once. Calls for the
// same id share one attempt.
func (e *Endpoint) Connect(ctx context.Context, id mesh.NodeID, addrs []string) (*Conn, error) {
	return nil, nil
}

// Conn gives the standing connection to id.
func (e *Endpoint) Conn(id mesh.NodeID) (*Conn, bool) { return nil, false }

// Conns gives all standing connections, in no order.
func (e *Endpoint) Conns() []*Conn { return nil }

// Close ends every connection with a reason that the peers see, closes the
// sockets, and waits for all that the endpoint started; handlers under way
// have their contexts cancelled. A libp2p host on the shared sockets must be
// closed before.
func (e *Endpoint) Close() error { return nil }

// Conn is one connection to a peer. Its methods may be called from many goroutines.
type Conn struct{}

// Call sends a request and waits for its reply. Errors are *mesh.Error: the
// peer's own, Unavailable when the connection ended, Overloaded when the peer
// serves too much, DeadlineExceeded or Cancelled from the context, which also
// end the request on the other side.
func (c *Conn) Call(ctx context.Context, req wire.Message) (wire.Message, error) { return nil, nil }

// Send sends a message that is not answered. Small messages arrive in the
// order of the Sends; one that needs a stream of its own may be overtaken. A
// nil error says only that the message is on its way.
func (c *Conn) Send(ctx context.Context, msg wire.Message) error { return nil }

// Peer is who is on the other side, as its certificate says.
func (c *Conn) Peer() admission.Member { return admission.Member{} }

// PeerAddrs are where the peer says that it takes connections, as ip:port;
// none for a client. The caller must not change them.
func (c *Conn) PeerAddrs() []string { return nil }

// RemoteAddr is the address that the peer's packets come from.
func (c *Conn) RemoteAddr() net.Addr { return nil }

// RTT is the smoothed round trip time of the connection.
func (c *Conn) RTT() time.Duration { return 0 }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return nil }

// Err says why the connection ended; nil while it stands.
func (c *Conn) Err() error { return nil }

// CloseWithReason ends the connection. The peer is told the reason's kind and message.
func (c *Conn) CloseWithReason(reason error) {}
