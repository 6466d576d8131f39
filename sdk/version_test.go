package sdk_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

func TestCompareAndSet(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		register := sdk.Register[string](client, "k")
		value, version, err := register.GetVersioned(ctx)
		if value != "" || version != sdk.Absent || err != nil {
			t.Errorf("a missing key: %q, %q, %v", value, version, err)
		}
		first, err := register.CompareAndSet(ctx, sdk.Absent, "a")
		if err != nil || first == sdk.Absent {
			t.Fatalf("creating gave %q, %v", first, err)
		}
		now, err := register.CompareAndSet(ctx, sdk.Absent, "b")
		wantKind(t, err, mesh.Conflict)
		want(t, now, nil, first)
		second, err := register.CompareAndSet(ctx, first, "b")
		if err != nil || second == first {
			t.Fatalf("the second write gave %q, %v", second, err)
		}
		value, version, err = register.GetVersioned(ctx)
		want(t, value, err, "b")
		want(t, version, err, second)
		if err := register.Put(ctx, "b"); err != nil {
			t.Fatal(err)
		}
		_, err = register.CompareAndSet(ctx, second, "c")
		wantKind(t, err, mesh.Conflict)

		if err := sdk.Set[string](client, "set").Add(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		_, _, err = client.GetVersioned(ctx, "set")
		wantKind(t, err, mesh.Invalid)
		_, err = client.CompareAndSet(ctx, "set", sdk.Absent, lattice.SetKind, lattice.AddOp("y"))
		wantKind(t, err, mesh.Invalid)
		_, _, err = client.GetVersioned(ctx, "never")
		wantKind(t, err, mesh.NotFound)
	})
}

func TestConcurrentCounting(t *testing.T) {
	m := startMesh(t, 3)
	var counting sync.WaitGroup
	const clients, each = 4, 10
	for range clients {
		register := sdk.Register[int](m.dial(admission.Read|admission.Write), "count")
		counting.Go(func() {
			for done := 0; done < each; {
				n, version, err := register.GetVersioned(t.Context())
				if err == nil {
					_, err = register.CompareAndSet(t.Context(), version, n+1)
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, mesh.Conflict):
					t.Error(err)
					return
				}
			}
		})
	}
	counting.Wait()
	most := m.dial(admission.Read).WithState(sdk.StateOptions{ReadQuorum: 2}) // one owner may not have the last writes yet
	got, err := sdk.Register[int](most, "count").Get(t.Context())
	want(t, got, err, clients*each)
}
