package sdk

import (
	"log/slog"
	"net"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// Config says which mesh a client connects to, and who it is there. One of
// Credential, Token and ContextDir is required.
type Config struct {
	// Addrs are nodes of the mesh, as host:port, in place of those of the
	// token or context. One that lives is enough: the client asks it for the
	// others.
	Addrs []string
	// Pinned keeps the client to those addresses: it learns of no others.
	Pinned bool
	// MaxConns bounds the nodes that the client is connected to at once, those
	// included whose keys it asks for. Default 4; with 1 there is no node to
	// go to at once when another dies.
	MaxConns int
	// Credential is who the client is. A node keeps one connection to each
	// identity: processes that run at once need credentials of their own, or a
	// Token.
	Credential admission.Credential
	// Token is a join token, with which the client makes a key and a
	// credential of its own for its lifetime.
	Token string
	// ContextDir is a folder with a saved context, such as virga up leaves.
	ContextDir string
	// Namespace is where names are looked up. Default mesh.DefaultNamespace.
	Namespace string
	// Log receives what the connections have to say. Default: nothing is logged.
	Log *slog.Logger
	// ListenPacket opens the client's socket. Default: the system's UDP.
	ListenPacket func(network, address string) (net.PacketConn, error)
}

const defaultMaxConns = 4

// identity is what a Config comes down to.
type identity struct {
	credential admission.Credential
	addrs      []string
}

func (c Config) identity(now time.Time) (identity, error) {
	id, err := c.chosenIdentity(now)
	if err != nil {
		return identity{}, err
	}
	if len(c.Addrs) > 0 {
		id.addrs = c.Addrs
	}
	if len(id.addrs) == 0 {
		return identity{}, mesh.Errorf(mesh.Invalid, "dial", "no address: expected at least one host:port of a node")
	}
	for _, addr := range id.addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return identity{}, mesh.Errorf(mesh.Invalid, "dial", "address %q: expected host:port", addr)
		}
	}
	return id, nil
}

func (c Config) chosenIdentity(now time.Time) (identity, error) {
	switch {
	case !c.Credential.IsZero():
		return identity{credential: c.Credential}, nil
	case c.Token != "":
		token, err := admission.ParseToken(c.Token)
		if err != nil {
			return identity{}, err
		}
		return joinAsClient(token, token.Bootstrap, now)
	case c.ContextDir != "":
		saved, err := LoadContext(c.ContextDir)
		if err != nil {
			return identity{}, err
		}
		return joinAsClient(saved.Token, saved.Addrs, now)
	}
	return identity{}, mesh.Errorf(mesh.Invalid, "dial", "nothing says who the client is: expected a credential, a join token or a context folder")
}

// joinAsClient uses any token, a node's as well, for a client's credential.
func joinAsClient(token admission.Token, addrs []string, now time.Time) (identity, error) {
	grant := token.Grant()
	grant.Role = admission.Client
	credential, err := token.JoinAs(admission.NewKey(), grant, now)
	return identity{credential, addrs}, err
}
