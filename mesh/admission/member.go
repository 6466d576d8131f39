package admission

import (
	"crypto/ed25519"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// TokenID names a token without its secret: what revoking a token refers to.
type TokenID [16]byte

// Member is a peer that proved its membership.
type Member struct {
	ID       mesh.NodeID
	Role     Role
	Grant    Grant     // what its certificate says
	NotAfter time.Time // when the first link of its chain expires
	Token    TokenID   // by which it was admitted
}

// Allow gives a Denied error unless the member may apply the verbs to name in
// the namespace: a key for Read and Write, a function or DAG for Call and
// Deploy. An empty name stands for the namespace as a whole, and needs a
// grant without key prefixes and functions. The namespace of the mesh itself
// is for nodes only.
func (m Member) Allow(verbs Verbs, namespace, name string) error {
	denied := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Denied, verbs.String()+" "+namespace+"/"+name, format, args...)
	}
	g := m.Grant
	if missing := verbs &^ g.Verbs; missing != 0 {
		return denied("the certificate of %s allows %s: expected %s", m.ID.Short(), g.Verbs, missing)
	}
	if namespace == mesh.SystemNamespace && m.Role != Node {
		return denied("namespace %q is for nodes only: %s is a %s", namespace, m.ID.Short(), m.Role)
	}
	if namespace != mesh.SystemNamespace && !matches(namespace, g.Namespaces, equal) {
		return denied("the certificate of %s allows namespaces %s only", m.ID.Short(), listed(g.Namespaces))
	}
	if verbs&(Read|Write) != 0 && !matches(name, g.KeyPrefixes, strings.HasPrefix) {
		return denied("the certificate of %s allows key prefixes %s only", m.ID.Short(), listed(g.KeyPrefixes))
	}
	if verbs&(Call|Deploy) != 0 && !matches(name, g.Functions, equal) {
		return denied("the certificate of %s allows functions %s only", m.ID.Short(), listed(g.Functions))
	}
	return nil
}

// nodeIDPrefix precedes an ed25519 public key in a libp2p peer id: an
// identity multihash of the key's protobuf (libp2p specs, peer-ids).
const nodeIDPrefix = "\x00\x24\x08\x01\x12\x20"

// NodeIDOf gives the id of who holds the private part of an ed25519 key.
func NodeIDOf(public ed25519.PublicKey) mesh.NodeID {
	return mesh.NodeID(nodeIDPrefix + string(public))
}
