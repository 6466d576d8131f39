package admission

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// MaxChain bounds the encoded chain, in bytes.
const MaxChain = 48 << 10

type chainLinks struct {
	delegation  delegation
	certificate certificate
}

func decodeChain(chain []byte) (chainLinks, error) {
	d := decoder{rest: chain}
	if len(chain) > MaxChain {
		d.fail("%d bytes: expected at most %d", len(chain), MaxChain)
	}
	d.version()
	links := chainLinks{delegation: d.delegation(), certificate: d.certificate()}
	return links, d.end()
}

// Verify checks that chain makes peer, who proved that id by its key, a
// member of the mesh at the time now. Its Denied errors say which check
// failed.
func Verify(chain []byte, meshID MeshID, peer mesh.NodeID, now time.Time) (Member, error) {
	denied := func(format string, args ...any) (Member, error) {
		return Member{}, mesh.Errorf(mesh.Denied, "verify membership of "+peer.Short(), format, args...)
	}
	if len(chain) == 0 {
		return denied("no membership certificate: expected one of mesh %s", meshID)
	}
	links, err := decodeChain(chain)
	if err != nil {
		return denied("the certificate is damaged or forged: %w", err)
	}
	deleg, cert := links.delegation, links.certificate
	if got := meshIDOf(deleg.root); got != meshID {
		return denied("the certificate is for another mesh, %s: expected %s", got, meshID)
	}
	if !deleg.signatureValid() {
		return denied("the token's delegation was tampered with: it is not signed by the mesh's root")
	}
	if !cert.signatureValid(deleg) {
		return denied("the certificate was tampered with: it is not signed by its token")
	}
	if owner := NodeIDOf(cert.peer); owner != peer {
		return denied("the certificate is for another peer, %s", owner)
	}
	if more := cert.grant.exceeds(deleg.grant); more != "" {
		return denied("the certificate grants %s, which its token does not", more)
	}
	notAfter := deleg.grant.NotAfter
	if cert.grant.NotAfter.Before(notAfter) {
		notAfter = cert.grant.NotAfter
	}
	if now.After(notAfter) {
		return denied("the certificate expired at %s", notAfter.UTC().Format(time.RFC3339))
	}
	return Member{ID: peer, Role: cert.grant.Role, Grant: cert.grant, NotAfter: notAfter, Token: deleg.id()}, nil
}
