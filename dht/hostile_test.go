package dht

import (
	"context"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/mesh/link"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// dialler is a peer that is no DHT: it says what a test wants.
func (m *testMesh) dialler(role admission.Role) *link.Endpoint {
	m.t.Helper()
	s := m.settings()
	endpoint, err := link.Listen(link.Config{
		Credential: m.credential(role), Listen: []string{s.listen}, Handler: mute{}, Log: m.log, ListenPacket: m.listenPacket(s.host),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { endpoint.Close() })
	return endpoint
}

// mute answers everything with Done.
type mute struct{}

func (mute) Serve(context.Context, *link.Conn, wire.Message) (wire.Message, error) { return nil, nil }
func (mute) Inline(wire.Type) bool                                                 { return true }

func TestClientsAreNotInTheView(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(2)
		client := m.dialler(admission.Client)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := client.Connect(ctx, nodes[0].self, []string{nodes[0].addr()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Call(ctx, &pb.Ping{}); err != nil {
			t.Errorf("ping of a client: %v", err)
		}
		named := &pb.Members{Members: []*pb.Member{{Node: []byte(client.ID()), Addrs: client.Addrs()}}}
		if _, err := conn.Call(ctx, named); mesh.KindOf(err) != mesh.Denied {
			t.Errorf("members of a client: %v, want Denied", err)
		}
		<-time.After(10 * time.Second)
		if !seeEachOther(nodes) {
			t.Error("the client is in a view")
		}
	})
}

// What a node says of others is a hint at most: it neither breaks anything nor brings anyone into the view.
func TestHostileMembers(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(2)
		liar := m.dialler(admission.Node)
		client := m.dialler(admission.Client)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := liar.Connect(ctx, nodes[0].self, []string{nodes[0].addr()})
		if err != nil {
			t.Fatal(err)
		}
		many := &pb.Members{}
		for i := range 5000 {
			many.Members = append(many.Members, &pb.Member{Node: []byte{0, 1, byte(i >> 8), byte(i)}, Addrs: []string{"10.9.9.9:9"}})
		}
		for _, lie := range []*pb.Members{
			{},
			{Members: []*pb.Member{nil, {}, {Node: []byte("x"), Addrs: []string{"", "nowhere", "0.0.0.0:1", "224.0.0.1:1", "10.0.0.1:0"}}}},
			{Members: []*pb.Member{{Node: make([]byte, 1<<16), Addrs: client.Addrs()}}},
			{Members: []*pb.Member{{Node: []byte(client.ID()), Addrs: client.Addrs()}}},
			{Members: []*pb.Member{{Node: []byte(nodes[0].self), Addrs: liar.Addrs()}, {Node: []byte(nodes[1].self), Addrs: liar.Addrs()}}},
			many,
		} {
			reply, err := conn.Call(ctx, lie)
			if members, ok := reply.(*pb.Members); err != nil || !ok || len(members.Members) < 2 {
				t.Errorf("reply to a lie: %T, %v", reply, err)
			}
		}
		if err := conn.Send(ctx, &pb.Leaving{}); err != nil {
			t.Error(err)
		}
		liar.Close() // the other node may have heard of it, and dialled it: it is one of the mesh
		<-time.After(time.Minute)
		if !seeEachOther(nodes) {
			t.Errorf("views of %d and %d nodes, want 2", len(nodes[0].View()), len(nodes[1].View()))
		}
		nodes[0].update(func(time.Time) {
			if known := len(nodes[0].roster.nodes); known > maxKnown {
				t.Errorf("%d known, bound %d", known, maxKnown)
			}
		})
	})
}

// Any answer is a sign of life, even one that makes no sense here.
func TestAPeerThatAnswersNonsenseLives(t *testing.T) {
	simulated(t, lan, func(t *testing.T, m *testMesh) {
		nodes := m.startMany(2)
		strange := m.dialler(admission.Node)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := strange.Connect(ctx, nodes[0].self, []string{nodes[0].addr()})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if conn.Err() != nil {
			t.Errorf("a peer that answers was taken for dead: %v", conn.Err())
		}
	})
}
