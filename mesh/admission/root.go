package admission

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"

	"github.com/virga-mesh/virga/mesh"
)

// MeshID names a mesh: the hash of its root's public key.
type MeshID [sha256.Size]byte

// meshIDOf hashes a root's public key.
func meshIDOf(root ed25519.PublicKey) MeshID {
	return sha256.Sum256(append([]byte("virga mesh root v1\x00"), root...))
}

// String is the id in hexadecimal.
func (m MeshID) String() string { return hex.EncodeToString(m[:]) }

// ParseMeshID reads what String writes.
func ParseMeshID(s string) (MeshID, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(MeshID{}) {
		return MeshID{}, mesh.Errorf(mesh.Invalid, "parse mesh id", "%q is not a mesh id: expected %d hexadecimal digits", s, 2*len(MeshID{}))
	}
	return MeshID(raw), nil
}

// Root is the key from which all admission to a mesh comes. Nodes do not
// need it: keep it off them.
type Root struct {
	key ed25519.PrivateKey
}

// NewRoot draws a root key: a new mesh.
func NewRoot() Root {
	_, key, _ := ed25519.GenerateKey(rand.Reader) // crypto/rand does not fail
	return Root{key: key}
}

// MeshID is the id of the mesh that has this root.
func (r Root) MeshID() MeshID { return meshIDOf(r.public()) }

func (r Root) public() ed25519.PublicKey { return r.key.Public().(ed25519.PublicKey) }

const rootBlock = "VIRGA MESH ROOT KEY"

// Marshal gives the secret root as a PEM file.
func (r Root) Marshal() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: rootBlock, Bytes: r.key.Seed()})
}

// ParseRoot reads what Marshal writes.
func ParseRoot(file []byte) (Root, error) {
	block, _ := pem.Decode(file)
	if block == nil || block.Type != rootBlock || len(block.Bytes) != ed25519.SeedSize {
		return Root{}, mesh.Errorf(mesh.Invalid, "parse root", "not a mesh root: expected a PEM block %q of %d bytes", rootBlock, ed25519.SeedSize)
	}
	return Root{key: ed25519.NewKeyFromSeed(block.Bytes)}, nil
}
