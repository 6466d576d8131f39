package sdk_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func TestAClientGoesToTheOwnersThatItWasToldOf(t *testing.T) {
	simulate(t, 7, func(t *testing.T, m *simmesh.Mesh) {
		client := dialSim(t, m)
		defer client.Close()
		const keys = 12
		name := func(k int) string { return fmt.Sprint("k", k) }
		for k := range keys {
			if err := sdk.Register[int](client, name(k)).Put(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		readAll := func() (direct, told int) {
			for k := range keys {
				got, err := sdk.Register[int](client, name(k)).Get(t.Context())
				want(t, got, err, k)
				to, owners, err := sdk.Route(t.Context(), client, name(k))
				if err != nil {
					t.Fatal(err)
				}
				if len(owners) > 0 {
					told++
				}
				if slices.Contains(owners, to) {
					direct++
				}
			}
			return direct, told
		}
		readAll()
		time.Sleep(5 * time.Second) // connections are made beside the requests
		readAll()
		time.Sleep(5 * time.Second)
		direct, told := readAll()
		if told == 0 || direct < told/2 {
			t.Errorf("of %d keys whose owners it knows the client goes straight to owners of %d", told, direct)
		}
		if n := sdk.Connections(client); n > 4 {
			t.Errorf("the client has connections to %d nodes: expected at most 4", n)
		}
		first, _, err := sdk.Route(t.Context(), client, name(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Kill(index(t, m, first)); err != nil {
			t.Fatal(err)
		}
		readAll() // knows what is wrong by now, and is answered all the same
	})
}

func TestAPinnedClientMakesNoOtherConnection(t *testing.T) {
	simulate(t, 5, func(t *testing.T, m *simmesh.Mesh) {
		client := dialSim(t, m, 2)
		defer client.Close()
		for k := range 8 {
			if err := sdk.Register[int](client, fmt.Sprint("k", k)).Put(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := sdk.Connections(client); n != 1 {
			t.Errorf("the client has connections to %d nodes", n)
		}
		if to, _, _ := sdk.Route(t.Context(), client, "k1"); to != m.Node(2).ID() {
			t.Errorf("a request goes to %s", to)
		}
	})
}

// index is the place of a node in the mesh.
func index(t *testing.T, m *simmesh.Mesh, id mesh.NodeID) int {
	t.Helper()
	for _, i := range m.Running() {
		if m.Node(i).ID() == id {
			return i
		}
	}
	t.Fatalf("no node is %s", id)
	return -1
}
