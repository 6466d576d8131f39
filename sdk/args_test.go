package sdk_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// basket is an argument with references in it, as a caller writes it, and
// full as the function gets it.
type basket struct {
	Owner string         `json:"owner"`
	Items []any          `json:"items"`
	More  map[string]any `json:"more"`
}

type full struct {
	Owner string             `json:"owner"`
	Items []int              `json:"items"`
	More  map[string][]int64 `json:"more"`
}

func total(_ context.Context, b full) (int, error) {
	sum := 0
	for _, n := range b.Items {
		sum += n
	}
	for _, list := range b.More {
		for _, n := range list {
			sum += int(n)
		}
	}
	return sum, nil
}

func TestReferencesAndFuturesAtAnyDepth(t *testing.T) {
	release := make(chan struct{})
	slow := func(ctx context.Context, n int) (int, error) {
		select {
		case <-release:
			return n * n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	m := startMesh(t, 3, append(natives(), node.Handle("slow", slow), node.Handle("total", total))...)
	client, other := m.dial(admission.AllVerbs), m.dial(admission.AllVerbs)
	ctx := t.Context()
	if err := sdk.Register[int](client, "three").Put(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if err := sdk.ORSet[int](client, "primes").Add(ctx, 2, 5); err != nil {
		t.Fatal(err)
	}
	future, err := sdk.Func[int, int](client, "slow").Start(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	arg := basket{
		Owner: "ada", Items: []any{1, client.Ref("three"), future, sdk.FutureOf[int](other, future.ID())},
		More: map[string]any{"primes": client.Ref("primes"), "list": []any{client.Ref("three"), *future}},
	}
	sum, err := sdk.Func[basket, int](other, "total").Start(ctx, arg)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	got, err := sum.Get(ctx)
	want(t, got, err, 1+3+16+16+2+5+3+16)

	nine, err := sdk.Func[fn.Args2[sdk.Ref, *sdk.Future[int]], int](client, "sum").Call(ctx, fn.Args2[sdk.Ref, *sdk.Future[int]]{A: client.Ref("three"), B: future})
	want(t, nine, err, 19)
	square, err := sdk.Func[*sdk.Run, int](client, "square").Call(ctx, client.Run(future.ID()))
	want(t, square, err, 256)
}

func TestReferencesThatHelpWhenTheyAreWrong(t *testing.T) {
	m := startMesh(t, 2, append(natives(), node.Handle("total", total))...)
	client := m.dial(admission.AllVerbs)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	failed, err := sdk.Func[fn.None, fn.None](client, "fail").Start(ctx, fn.None{})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]any, mesh.MaxReferences+1)
	for i := range many {
		many[i] = client.Ref("k")
	}
	for _, test := range []struct {
		arg  any
		kind mesh.ErrorKind
		says []string
	}{
		{basket{Items: []any{1, client.Ref("nosuch")}}, mesh.NotFound, []string{"argument 1.items[1]", "key default/nosuch"}},
		{[]any{[]any{failed}}, mesh.UserError, []string{"argument 1[0][0]", "run " + failed.ID().String(), "no luck"}},
		{client.Run(mesh.NewRunID()), mesh.NotFound, []string{"argument 1", "run "}},
		{client.Ref(""), mesh.Invalid, []string{"argument 1", "expected 1 to"}},
		{many, mesh.Invalid, []string{"1000 references"}},
		{map[sdk.Ref]int{client.Ref("k"): 1}, mesh.Invalid, []string{"argument 1", "a key of a map"}},
		{[]any{(*sdk.Run)(nil)}, 0, nil},
	} {
		_, err := client.Call(ctx, "total", test.arg)
		if test.says == nil {
			continue // whatever it says, it does not panic
		}
		wantKind(t, err, test.kind)
		for _, part := range test.says {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
	wantKind(t, sdk.Register[any](client, "state").Put(ctx, []any{client.Ref("k")}), mesh.Invalid)
	denied := m.dial(admission.Call)
	_, err = denied.Call(ctx, "total", basket{Items: []any{client.Ref("k")}})
	wantKind(t, err, mesh.Denied)
}

func TestRawReferencesAreHandedOverAsBytes(t *testing.T) {
	size := func(_ context.Context, b []byte) (int, error) { return len(b), nil }
	m := startMesh(t, 2, node.Handle("size", size))
	client := m.dial(admission.AllVerbs)
	if err := sdk.Register[map[string]int](client, "map").Put(t.Context(), map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	_, err := client.Call(t.Context(), "size", client.Ref("map"))
	wantKind(t, err, mesh.Invalid) // a map is not bytes
	n, err := sdk.Func[sdk.Ref, int](client, "size").Call(t.Context(), sdk.Raw(client.Ref("map")))
	want(t, n, err, len("\xa1\x61a\x01"))
}
