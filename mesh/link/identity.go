package link

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"golang.org/x/time/rate"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// membershipOID marks the X.509 extension that holds the membership chain.
// It lies in the arc that needs no registration (ITU-T X.667), under a number
// drawn at random.
var membershipOID = asn1.ObjectIdentifier{2, 25, 1734950611}

// Bounds of the TLS certificate's life. Membership is what expires; the
// certificate only has to tolerate clocks that differ.
const (
	certificateAge  = 24 * time.Hour
	certificateLife = 100 * 365 * 24 * time.Hour
)

// refusalLogRate bounds the lines that outsiders can make us log, per second.
const refusalLogRate = 10

// identity makes and checks what the TLS handshake proves: the peer's id, by
// libp2p's rules, and its membership.
type identity struct {
	self     mesh.NodeID
	meshID   admission.MeshID
	tls      *libp2ptls.Identity
	revoked  func(admission.Member) bool
	log      *slog.Logger
	logLimit *rate.Limiter
}

func newIdentity(c Config) (*identity, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Credential.Key())
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "link", "private key: %w", err)
	}
	proof, err := libp2ptls.NewIdentity(key, carryMembership(c.Credential.Chain()))
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "link", "TLS identity: %w", err)
	}
	return &identity{
		self: c.Credential.ID(), meshID: c.Credential.MeshID(), tls: proof,
		revoked: c.Revoked, log: c.Log, logLimit: rate.NewLimiter(refusalLogRate, refusalLogRate),
	}, nil
}

// carryMembership puts the chain into the certificate that libp2p makes. The
// template is new for each identity, because libp2p adds its own extension to it.
func carryMembership(chain []byte) libp2ptls.IdentityOption {
	return func(c *libp2ptls.IdentityConfig) {
		serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // crypto/rand does not fail
		now := time.Now()
		c.CertTemplate = &x509.Certificate{
			SerialNumber:    serial,
			Subject:         pkix.Name{SerialNumber: serial.String()},
			NotBefore:       now.Add(-certificateAge),
			NotAfter:        now.Add(certificateLife),
			ExtraExtensions: []pkix.Extension{{Id: membershipOID, Value: chain}},
		}
	}
}

// config is the TLS configuration of the data plane: for a dial to id, which
// may be empty for any node, or for taking connections.
func (i *identity) config(id mesh.NodeID) *tls.Config {
	conf, _ := i.tls.ConfigForPeer(peer.ID(id))
	conf.NextProtos = []string{ALPN}
	return conf
}

// guard returns conf with the demand for membership in one of the roles added
// to what it verifies. Who is refused is logged, with where they are.
func (i *identity) guard(conf *tls.Config, remote string, roles ...admission.Role) *tls.Config {
	conf = conf.Clone()
	conf.ClientAuth = tls.RequireAnyClientCert
	conf.SessionTicketsDisabled = true // a resumed session would skip the check
	verify := conf.VerifyPeerCertificate
	conf.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
		if verify != nil {
			if err := verify(raw, chains); err != nil {
				return i.refuse(remote, mesh.Errorf(mesh.Denied, "verify identity", "%w", err))
			}
		}
		certificate, err := x509.ParseCertificate(raw[0])
		if err != nil {
			return i.refuse(remote, mesh.Errorf(mesh.Denied, "verify identity", "%w", err))
		}
		if _, err := i.member(certificate, roles...); err != nil {
			return i.refuse(remote, err)
		}
		return nil
	}
	return conf
}

func (i *identity) refuse(remote string, err error) error {
	if i.logLimit.Allow() {
		i.log.Warn("refused a peer in the handshake", "remote", remote, "reason", err)
	}
	return err
}

// member checks the membership in a TLS certificate.
func (i *identity) member(certificate *x509.Certificate, roles ...admission.Role) (admission.Member, error) {
	key, err := libp2ptls.PubKeyFromCertChain([]*x509.Certificate{certificate})
	if err != nil {
		return admission.Member{}, mesh.Errorf(mesh.Denied, "verify identity", "%w", err)
	}
	public, err := key.Raw()
	if err != nil || len(public) != ed25519.PublicKeySize || key.Type() != crypto.Ed25519 {
		return admission.Member{}, mesh.Errorf(mesh.Denied, "verify identity", "%s key: expected Ed25519", key.Type())
	}
	member, err := admission.Verify(membershipIn(certificate), i.meshID, admission.NodeIDOf(public), time.Now())
	if err != nil {
		return admission.Member{}, err
	}
	if !slices.Contains(roles, member.Role) {
		return admission.Member{}, mesh.Errorf(mesh.Denied, "verify membership of "+member.ID.Short(),
			"the certificate is for role %s: expected %s", member.Role, roles[0])
	}
	if i.revoked != nil && i.revoked(member) {
		return admission.Member{}, mesh.Errorf(mesh.Denied, "verify membership of "+member.ID.Short(), "the certificate was revoked")
	}
	return member, nil
}

func membershipIn(certificate *x509.Certificate) []byte {
	for _, extension := range certificate.Extensions {
		if extension.Id.Equal(membershipOID) {
			return extension.Value
		}
	}
	return nil
}

// derivedKey makes a secret for one purpose from the private key. It is the
// same after a restart.
func derivedKey(key ed25519.PrivateKey, purpose string) [32]byte {
	return sha256.Sum256(append([]byte("virga "+purpose+" v1\x00"), key.Seed()...))
}
