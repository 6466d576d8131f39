package sdk_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// What is too large for a page of a scan is exported as well: sets in pieces,
// registers whole, all with the moment of their expiry.
func TestExportGivesValuesOfAnySize(t *testing.T) {
	m := meshtest.New(t, 3)
	client, ctx := m.Dial(t), t.Context()
	expiring := client.WithState(sdk.StateOptions{TTL: time.Hour})
	members := make([]int, 5000)
	for i := range members {
		members[i] = i
	}
	for chunk := range slices.Chunk(members, 500) {
		if err := sdk.ORSet[int](expiring, "large set").Add(ctx, chunk...); err != nil {
			t.Fatal(err)
		}
	}
	large := bytes.Repeat([]byte("x"), 2<<20)
	if err := sdk.Register[[]byte](expiring, "large register").Put(ctx, large); err != nil {
		t.Fatal(err)
	}
	if err := sdk.Register[[]byte](expiring, "lifted").Put(ctx, large); err != nil {
		t.Fatal(err)
	}
	if err := sdk.Register[[]byte](client, "lifted").Put(ctx, large); err != nil { // for ever
		t.Fatal(err)
	}
	if err := sdk.Register[int](expiring, "small").Put(ctx, 7); err != nil {
		t.Fatal(err)
	}
	pieces, elements := map[string]int{}, map[string]bool{}
	for key, err := range client.Export(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		if pieces[key.Name]++; key.Piece > 0 && key.Piece != pieces[key.Name] {
			t.Errorf("%s: piece %d is given as %d", key.Name, pieces[key.Name], key.Piece)
		}
		left := time.Until(key.Expires)
		if lasting := key.Name == "lifted"; lasting != key.Expires.IsZero() || !lasting && (left < 50*time.Minute || left > time.Hour) {
			t.Errorf("%s expires at %v", key.Name, key.Expires)
		}
		for e := range key.Value.Elements() {
			if elements[e] {
				t.Errorf("an element is in two pieces")
			}
			elements[e] = true
		}
		if payload, is := key.Value.Payload(); is && key.Name != "small" && len(payload) != len(large)+1 {
			t.Errorf("%s has %d bytes", key.Name, len(payload))
		}
	}
	if len(elements) != len(members) || pieces["large set"] < 10 {
		t.Errorf("%d elements in %d pieces, want %d", len(elements), pieces["large set"], len(members))
	}
	delete(pieces, "large set")
	if want := fmt.Sprint(map[string]int{"large register": 1, "lifted": 1, "small": 1}); fmt.Sprint(pieces) != want {
		t.Errorf("exported %v, want %s", pieces, want)
	}
}

func TestNamespacesAreThoseThatHoldKeys(t *testing.T) {
	m := meshtest.New(t, 3)
	client := m.Dial(t)
	for _, namespace := range []string{"b", "a", "default"} {
		if _, err := client.In(namespace).Put(t.Context(), "k", lattice.SetKind, lattice.AddOp()); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for name, err := range client.Namespaces(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if !slices.Equal(got, []string{"a", "b", "default"}) {
		t.Errorf("the namespaces are %q", got)
	}
	for _, err := range client.In("Not Valid").Export(t.Context(), "") {
		if !errors.Is(err, mesh.Invalid) {
			t.Errorf("a namespace that none can be: %v, want Invalid", err)
		}
	}
}
