package sdk_test

import (
	"context"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/worker"
)

func TestVersionsAliasesAndRollback(t *testing.T) {
	m := startMesh(t, 2, node.Handle("f", func(context.Context, int) (string, error) { return "native", nil }))
	client, other := m.dial(admission.AllVerbs), m.dial(admission.AllVerbs)
	ctx := t.Context()
	w, err := worker.Start(ctx, client, worker.Handle("f", func(context.Context, int) (string, error) { return "worker", nil }))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	calls := func(name, result string) {
		t.Helper()
		got, err := sdk.Func[int, string](other, name).Call(ctx, 1)
		want(t, got, err, result)
	}
	calls("f", "worker")
	if err := client.SetAlias(ctx, "f", "stable", "native"); err != nil {
		t.Fatal(err)
	}
	calls("f@stable", "native")
	versions, err := other.Versions(ctx, "f")
	if err != nil || len(versions) != 2 || !slices.Equal(versions[0].Aliases, []string{"stable"}) || versions[0].Current || !versions[1].Current ||
		versions[0].Kind != mesh.Native || versions[1].Kind != mesh.Worker || len(versions[0].Hosts) != 2 || versions[0].Deployed.IsZero() {
		t.Errorf("Versions = %+v, %v", versions, err)
	}
	back, err := client.Rollback(ctx, "f")
	if err != nil || back.Ref.Version != "native" {
		t.Errorf("Rollback = %+v, %v", back, err)
	}
	calls("f", "native")
	_, err = client.Rollback(ctx, "f")
	wantKind(t, err, mesh.Conflict)
	if err := client.SetAlias(ctx, "f", "stable", "worker"); err != nil {
		t.Error(err)
	}
	calls("f@stable", "worker")
	if err := client.DeleteAlias(ctx, "f", "stable"); err != nil {
		t.Error(err)
	}
	_, err = other.Call(ctx, "f@stable", 1)
	wantKind(t, err, mesh.NotFound)
	wantKind(t, client.DeleteAlias(ctx, "f", "stable"), mesh.NotFound)
	wantKind(t, client.SetAlias(ctx, "f", "stable", ""), mesh.Invalid)
	wantKind(t, m.dial(admission.Call).SetAlias(ctx, "f", "mine", "native"), mesh.Denied)
	listed := 0
	for info, err := range client.ListFuncsAfter(ctx, "", "e") {
		if err != nil || info.Ref.Name != "f" {
			t.Errorf("listed %+v, %v", info, err)
		}
		listed++
	}
	want(t, listed, nil, 1)
}
