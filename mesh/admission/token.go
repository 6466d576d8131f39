package admission

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// MaxBootstrap bounds the addresses in a token.
const MaxBootstrap = 16

// Token admits whoever holds it, as often as they like until it expires. It
// is a secret.
type Token struct {
	Bootstrap []string // where nodes of the mesh may be found, as host:port

	key        ed25519.PrivateKey
	delegation delegation
}

// NewToken makes a token for one mesh.
func (r Root) NewToken(grant Grant, bootstrap []string) (Token, error) {
	if err := grant.Validate(); err != nil {
		return Token{}, err
	}
	if err := validateBootstrap(bootstrap); err != nil {
		return Token{}, err
	}
	public, key, _ := ed25519.GenerateKey(rand.Reader) // crypto/rand does not fail
	return Token{Bootstrap: slices.Clone(bootstrap), key: key, delegation: newDelegation(r, public, grant)}, nil
}

func validateBootstrap(addrs []string) error {
	if len(addrs) > MaxBootstrap {
		return mesh.Errorf(mesh.Invalid, "token", "%d bootstrap addresses: expected at most %d", len(addrs), MaxBootstrap)
	}
	for _, addr := range addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil || len(addr) > 300 {
			return mesh.Errorf(mesh.Invalid, "token", "bootstrap address %q: expected host:port", addr)
		}
	}
	return nil
}

// MeshID is the mesh that the token admits to.
func (t Token) MeshID() MeshID { return meshIDOf(t.delegation.root) }

// Grant is the most that the token admits to.
func (t Token) Grant() Grant { return t.delegation.grant }

// ID names the token without giving its secret away.
func (t Token) ID() TokenID { return t.delegation.id() }

func (d delegation) id() TokenID {
	sum := sha256.Sum256(d.raw)
	return TokenID(sum[:])
}

// String describes the token without its secret, for logs.
func (t Token) String() string {
	if t.key == nil {
		return "no token"
	}
	g := t.Grant()
	return fmt.Sprintf("token %x for a %s, until %s", t.ID(), g.Role, g.NotAfter.UTC().Format(time.RFC3339))
}

const (
	tokenPrefix  = "virga1"
	checksumSize = 4
)

// tokenText has neither capitals nor signs: a double click selects all of it.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Text is the token as people pass it on, the secret included.
func (t Token) Text() string {
	raw := append([]byte{formatVersion}, t.key.Seed()...)
	raw = append(raw, t.delegation.raw...)
	raw = appendList(raw, t.Bootstrap)
	return tokenPrefix + tokenText.EncodeToString(append(raw, tokenChecksum(raw)...))
}

func tokenChecksum(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:checksumSize]
}

// ParseToken reads what Text writes, in any case and with space around it.
// Its Invalid errors tell how the text is damaged; a token that is whole but
// was not signed by the root it names is Denied. Expiry is checked on use.
func ParseToken(text string) (Token, error) {
	invalid := func(format string, args ...any) (Token, error) {
		return Token{}, mesh.Errorf(mesh.Invalid, "parse token", format, args...)
	}
	encoded, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), tokenPrefix)
	if !ok {
		return invalid("it does not begin with %q: expected a join token, as virga token create prints it", tokenPrefix)
	}
	if at := strings.IndexFunc(encoded, notTokenLetter); at >= 0 {
		return invalid("character %q at position %d: expected letters a-z and digits 2-7 only", encoded[at], len(tokenPrefix)+at+1)
	}
	raw, err := tokenText.DecodeString(encoded)
	if err != nil || len(raw) < checksumSize || tokenText.EncodeToString(raw) != encoded {
		return invalid("%d characters: it is cut short or has some too many", len(tokenPrefix)+len(encoded))
	}
	body, checksum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if !bytes.Equal(checksum, tokenChecksum(body)) {
		return invalid("its checksum is wrong: a character was changed, lost or added on the way")
	}
	return decodeToken(body)
}

func notTokenLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') }

func decodeToken(body []byte) (Token, error) {
	d := decoder{rest: body}
	d.version()
	t := Token{key: ed25519.NewKeyFromSeed(d.bytes(ed25519.SeedSize, "token's key"))}
	t.delegation = d.delegation()
	t.Bootstrap = d.list(MaxBootstrap, "bootstrap addresses")
	if err := d.end(); err != nil {
		return Token{}, mesh.Errorf(mesh.Invalid, "parse token", "%w", err)
	}
	if err := validateBootstrap(t.Bootstrap); err != nil {
		return Token{}, err
	}
	if !t.delegation.signatureValid() || !t.delegation.token.Equal(t.key.Public()) {
		return Token{}, mesh.Errorf(mesh.Denied, "parse token", "it is not signed by the root of mesh %s", t.MeshID())
	}
	return t, nil
}
