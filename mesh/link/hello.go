package link

import (
	"bytes"
	"fmt"

	"github.com/virga-mesh/virga/internal/version"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// versions is a range of protocol versions.
type versions struct{ min, max uint32 }

// spoken are the versions of the data plane that this code speaks: the
// newest, and the one before it once there is one.
var spoken = versions{min: 1, max: 1}

// common gives the newest version that both sides speak.
func (v versions) common(other versions) (uint32, error) {
	best := min(v.max, other.max)
	if best < max(v.min, other.min) {
		return 0, fmt.Errorf("speaks protocol versions %d to %d: expected some of %d to %d", other.min, other.max, v.min, v.max)
	}
	return best, nil
}

// greeting is what a peer's Hello says, checked.
type greeting struct {
	version            uint32 // agreed
	addrs              []string
	instance, sequence uint64
	sent               uint32 // by the peer's clock
}

// maxHelloAddrs bounds the addresses in a Hello.
const maxHelloAddrs = 32

func (e *Endpoint) hello(sequence uint64, sent uint32) *pb.Hello {
	meshID := e.identity.meshID
	return &pb.Hello{
		MinVersion: e.versions.min, MaxVersion: e.versions.max, MeshId: meshID[:],
		Addrs: e.Addrs(), Software: version.String(), Instance: e.instance, Sequence: sequence, SentUs: sent,
	}
}

func (e *Endpoint) checkHello(h wire.Header, body []byte) (greeting, error) {
	m, err := wire.ParseBody(h.Type, body)
	if err != nil {
		return greeting{}, err
	}
	hello, ok := m.(*pb.Hello)
	if !ok {
		return greeting{}, mesh.Errorf(mesh.Invalid, "hello", "the first frame is a %T: expected a Hello", m)
	}
	if meshID := e.identity.meshID; !bytes.Equal(hello.MeshId, meshID[:]) {
		return greeting{}, mesh.Errorf(mesh.Denied, "hello", "the peer is of mesh %x: expected %s", hello.MeshId, meshID)
	}
	agreed, err := e.versions.common(versions{min: hello.MinVersion, max: hello.MaxVersion})
	if err != nil {
		return greeting{}, mesh.Errorf(mesh.Conflict, "hello", "the peer, Virga %.40q, %w", hello.Software, err)
	}
	if len(hello.Addrs) > maxHelloAddrs {
		return greeting{}, mesh.Errorf(mesh.Invalid, "hello", "%d addresses: expected at most %d", len(hello.Addrs), maxHelloAddrs)
	}
	return greeting{version: agreed, addrs: hello.Addrs, instance: hello.Instance, sequence: hello.Sequence, sent: hello.SentUs}, nil
}

// rolesTaken are who may connect; rolesDialled, who may be connected to.
var (
	rolesTaken   = []admission.Role{admission.Node, admission.Client}
	rolesDialled = []admission.Role{admission.Node}
)
