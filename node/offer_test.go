package node_test

import (
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// connect gives the bare connection of a client that may do everything.
func connect(t *testing.T, m *simmesh.Mesh) *link.Conn {
	t.Helper()
	token, err := m.Token(simmesh.Everything(), nil)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := token.Join(admission.NewKey(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := link.Listen(link.Config{Credential: credential, Handler: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := endpoint.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := endpoint.Connect(within(t, 30*time.Second), m.Node(0).ID(), m.Node(0).Addrs())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestAConnectionOffersFunctionsOnce(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	conn := connect(t, m)
	offer := func(functions int) error {
		request := &pb.ServeFuncs{}
		for range functions {
			request.Functions = append(request.Functions, &pb.FuncRef{Namespace: mesh.DefaultNamespace, Name: "f"})
		}
		_, err := conn.Call(within(t, 30*time.Second), request)
		return err
	}
	wantsError(t, "offering nothing", offer(0), mesh.Invalid, "expected 1 to 256")
	wantsError(t, "offering too much", offer(257), mesh.Invalid, "expected 1 to 256")
	if err := offer(1); err != nil {
		t.Fatal(err)
	}
	wantsError(t, "offering again", offer(1), mesh.Conflict, "one offer a connection")
}

func TestAClientDoesNotPassForANode(t *testing.T) {
	m := start(t, simmesh.Options{Nodes: 1})
	conn := connect(t, m)
	key := &pb.Key{Namespace: mesh.DefaultNamespace, Name: "k"}
	for _, request := range []wire.Message{
		&pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: lattice.SetOp(nil).AppendBinary(nil), Forwarded: true},
		&pb.Delete{Key: key, Forwarded: true},
		&pb.Touch{Key: key, Forwarded: true},
		&pb.CompareAndSet{Key: key, Forwarded: true},
		&pb.PutAll{Puts: []*pb.Put{{Key: key}, {Key: key, Forwarded: true}}},
		&pb.List{Namespace: mesh.DefaultNamespace, Local: true},
	} {
		_, err := conn.Call(within(t, 30*time.Second), request)
		wantsError(t, "a request between nodes", err, mesh.Denied)
	}
}
