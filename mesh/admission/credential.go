package admission

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Credential is a peer's private key and the certificate that makes it a
// member. The zero Credential is none.
type Credential struct {
	key   ed25519.PrivateKey
	chain []byte
}

// NewKey draws the private key of a node or client.
func NewKey() ed25519.PrivateKey {
	_, key, _ := ed25519.GenerateKey(rand.Reader) // crypto/rand does not fail
	return key
}

// Join admits the holder of key with all that the token grants.
func (t Token) Join(key ed25519.PrivateKey, now time.Time) (Credential, error) {
	return t.JoinAs(key, t.Grant(), now)
}

// JoinAs admits the holder of key with a grant that may be narrower than the
// token's. A wider one, and an expired token, are Denied.
func (t Token) JoinAs(key ed25519.PrivateKey, grant Grant, now time.Time) (Credential, error) {
	if err := grant.Validate(); err != nil {
		return Credential{}, err
	}
	public := key.Public().(ed25519.PublicKey)
	cert := newCertificate(t.delegation, t.key, public, grant)
	chain := append([]byte{formatVersion}, t.delegation.raw...)
	c := Credential{key: key, chain: append(chain, cert.raw...)}
	if _, err := Verify(c.chain, t.MeshID(), NodeIDOf(public), now); err != nil {
		return Credential{}, mesh.AsError("join", err)
	}
	return c, nil
}

// ID is who the credential's holder is.
func (c Credential) ID() mesh.NodeID { return NodeIDOf(c.key.Public().(ed25519.PublicKey)) }

// Key is the private key.
func (c Credential) Key() ed25519.PrivateKey { return c.key }

// Chain is the public part: what peers verify.
func (c Credential) Chain() []byte { return c.chain }

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.key == nil }

// MeshID is the mesh that the credential is for.
func (c Credential) MeshID() MeshID {
	links, err := decodeChain(c.chain)
	if err != nil {
		panic("admission: a Credential holds a malformed chain: " + err.Error())
	}
	return meshIDOf(links.delegation.root)
}

// Member checks the credential as a peer will.
func (c Credential) Member(now time.Time) (Member, error) {
	return Verify(c.chain, c.MeshID(), c.ID(), now)
}

const (
	keyBlock   = "VIRGA PRIVATE KEY"
	chainBlock = "VIRGA MEMBERSHIP CERTIFICATE"
)

// Marshal gives the credential as a PEM file of two blocks: the private key,
// then the certificate, which is no secret.
func (c Credential) Marshal() []byte {
	key := pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: c.key.Seed()})
	return append(key, pem.EncodeToMemory(&pem.Block{Type: chainBlock, Bytes: c.chain})...)
}

// ParseCredential reads what Marshal writes. That the key and the certificate
// belong together, and that the certificate is in force, is for Member to check.
func ParseCredential(file []byte) (Credential, error) {
	invalid := func(format string, args ...any) (Credential, error) {
		return Credential{}, mesh.Errorf(mesh.Invalid, "parse credential", format, args...)
	}
	key, rest := pem.Decode(file)
	if key == nil || key.Type != keyBlock || len(key.Bytes) != ed25519.SeedSize {
		return invalid("no private key: expected a PEM block %q of %d bytes", keyBlock, ed25519.SeedSize)
	}
	chain, _ := pem.Decode(rest)
	if chain == nil || chain.Type != chainBlock {
		return invalid("no certificate: expected a PEM block %q", chainBlock)
	}
	if _, err := decodeChain(chain.Bytes); err != nil {
		return invalid("certificate: %w", err)
	}
	return Credential{key: ed25519.NewKeyFromSeed(key.Bytes), chain: chain.Bytes}, nil
}
