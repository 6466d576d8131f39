package sdk

import (
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// Config says which mesh a client connects to, and who it is there. One of
// Credential, Token and ContextDir is required.
type Config struct {
	// Addrs are nodes of the mesh, as host:port. They come before those of
	// the token or context. One that lives is enough: the client asks it for
	// the others.
	Addrs []string
	// Pinned keeps the client to the addresses that it was given: it learns of
	// no others.
	Pinned bool
	// Credential is who the client is.
	Credential admission.Credential
	// Token is a join token, with which the client makes itself a credential
	// for its lifetime.
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
	id.addrs = union(c.Addrs, id.addrs)
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
		return joinAsClient(c.Token, now)
	case c.ContextDir != "":
		saved, err := LoadContext(c.ContextDir)
		return identity{saved.Credential, saved.Addrs}, err
	}
	return identity{}, mesh.Errorf(mesh.Invalid, "dial", "nothing says who the client is: expected a credential, a join token or a context folder")
}

func joinAsClient(text string, now time.Time) (identity, error) {
	token, err := admission.ParseToken(text)
	if err != nil {
		return identity{}, err
	}
	grant := token.Grant()
	grant.Role = admission.Client
	credential, err := token.JoinAs(admission.NewKey(), grant, now)
	return identity{credential, token.Bootstrap}, err
}

// union keeps the order of the first occurrences.
func union(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, s := range list {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
