package admission

import (
	"crypto/ed25519"
	"encoding/binary"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// The signed formats. Numbers are big-endian, every value has exactly one
// encoding, and nothing is optional:
//
//	list        count u8, then each entry as length u16 and bytes
//	grant       role u8 | verbs u8 | not-after i64, Unix seconds | namespaces list | key prefixes list | functions list
//	delegation  root key 32 | token key 32 | grant | signature 64 by the root key
//	certificate peer key 32 | grant | signature 64 by the token key
//	chain       1 u8 | delegation | certificate
//	token       1 u8 | seed of the token key 32 | delegation | bootstrap addresses list
//
// The root signs delegationDomain and what precedes the signature. The token's
// key signs certificateDomain, the whole delegation, and what precedes the
// signature: a certificate belongs to one delegation.
const (
	delegationDomain  = "virga delegation v1\x00"
	certificateDomain = "virga membership v1\x00"
	formatVersion     = 1
)

func appendList(dst []byte, list []string) []byte {
	dst = append(dst, byte(len(list)))
	for _, entry := range list {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(entry)))
		dst = append(dst, entry...)
	}
	return dst
}

func appendGrant(dst []byte, g Grant) []byte {
	dst = append(dst, byte(g.Role), byte(g.Verbs))
	dst = binary.BigEndian.AppendUint64(dst, uint64(g.NotAfter.Unix()))
	dst = appendList(dst, g.Namespaces)
	dst = appendList(dst, g.KeyPrefixes)
	return appendList(dst, g.Functions)
}

// delegation is what a root signs for a token.
type delegation struct {
	root, token ed25519.PublicKey
	grant       Grant
	raw         []byte // the whole, signature included
}

func newDelegation(root Root, token ed25519.PublicKey, grant Grant) delegation {
	body := append(append([]byte{}, root.public()...), token...)
	body = appendGrant(body, grant)
	signature := ed25519.Sign(root.key, append([]byte(delegationDomain), body...))
	return delegation{root: root.public(), token: token, grant: grant.toSecond(), raw: append(body, signature...)}
}

func (d delegation) signatureValid() bool {
	body, signature := splitSignature(d.raw)
	return ed25519.Verify(d.root, append([]byte(delegationDomain), body...), signature)
}

// certificate is what a token's key signs for a peer.
type certificate struct {
	peer  ed25519.PublicKey
	grant Grant
	raw   []byte // the whole, signature included
}

func newCertificate(d delegation, tokenKey ed25519.PrivateKey, peer ed25519.PublicKey, grant Grant) certificate {
	body := appendGrant(append([]byte{}, peer...), grant)
	signature := ed25519.Sign(tokenKey, certificateSigned(d, body))
	return certificate{peer: peer, grant: grant.toSecond(), raw: append(body, signature...)}
}

func (c certificate) signatureValid(d delegation) bool {
	body, signature := splitSignature(c.raw)
	return ed25519.Verify(d.token, certificateSigned(d, body), signature)
}

func certificateSigned(d delegation, body []byte) []byte {
	return append(append([]byte(certificateDomain), d.raw...), body...)
}

func splitSignature(raw []byte) (body, signature []byte) {
	at := len(raw) - ed25519.SignatureSize
	return raw[:at], raw[at:]
}

// decoder reads the formats. Its first error sticks.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = mesh.Errorf(mesh.Invalid, "decode", format, args...)
	}
}

func (d *decoder) bytes(n int, what string) []byte {
	if d.err == nil && len(d.rest) < n {
		d.fail("ends within the %s: %d bytes left, expected %d", what, len(d.rest), n)
	}
	if d.err != nil {
		return make([]byte, n)
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) version() {
	if v := d.bytes(1, "version")[0]; v != formatVersion {
		d.fail("format version %d: expected %d", v, formatVersion)
	}
}

func (d *decoder) list(limit int, what string) []string {
	count := int(d.bytes(1, what)[0])
	if count > limit {
		d.fail("%d %s: expected at most %d", count, what, limit)
	}
	var list []string
	for range count {
		if d.err != nil {
			return nil
		}
		n := binary.BigEndian.Uint16(d.bytes(2, what))
		list = append(list, string(d.bytes(int(n), what)))
	}
	return list
}

func (d *decoder) grant() Grant {
	g := Grant{Role: Role(d.bytes(1, "role")[0]), Verbs: Verbs(d.bytes(1, "verbs")[0])}
	g.NotAfter = time.Unix(int64(binary.BigEndian.Uint64(d.bytes(8, "expiry"))), 0)
	g.Namespaces = d.list(MaxNamespaces, "namespaces")
	g.KeyPrefixes = d.list(MaxNames, "key prefixes")
	g.Functions = d.list(MaxNames, "functions")
	if d.err == nil {
		d.err = g.Validate()
	}
	return g
}

func (d *decoder) delegation() delegation {
	start := d.rest
	out := delegation{
		root:  d.bytes(ed25519.PublicKeySize, "root key"),
		token: d.bytes(ed25519.PublicKeySize, "token key"),
		grant: d.grant(),
	}
	d.bytes(ed25519.SignatureSize, "root's signature")
	out.raw = start[:len(start)-len(d.rest)]
	return out
}

func (d *decoder) certificate() certificate {
	start := d.rest
	out := certificate{peer: d.bytes(ed25519.PublicKeySize, "peer key"), grant: d.grant()}
	d.bytes(ed25519.SignatureSize, "token's signature")
	out.raw = start[:len(start)-len(d.rest)]
	return out
}

// end gives the first error, or that bytes are left.
func (d *decoder) end() error {
	if len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	return d.err
}
