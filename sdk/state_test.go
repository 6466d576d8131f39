package sdk_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type person struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

func TestRegister(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, ada := t.Context(), person{"Ada", 36}
		register := sdk.Register[person](client, "ada")
		_, err := register.Get(ctx)
		wantKind(t, err, mesh.NotFound)
		if err := register.Put(ctx, ada); err != nil {
			t.Fatal(err)
		}
		got, err := register.Get(ctx)
		want(t, got, err, ada)
		_, err = sdk.Register[int](client, "ada").Get(ctx)
		wantKind(t, err, mesh.Invalid)
		wantKind(t, sdk.Set[string](client, "ada").Add(ctx, "x"), mesh.KindMismatch)
		_, err = sdk.Set[string](client, "ada").All(ctx)
		wantKind(t, err, mesh.KindMismatch)
		got, err = register.Get(ctx)
		want(t, got, err, ada)
		if err := client.Delete(ctx, "ada"); err != nil {
			t.Error(err)
		}
		_, err = register.Get(ctx)
		wantKind(t, err, mesh.NotFound)
		wantKind(t, sdk.Register[chan int](client, "ada").Put(ctx, nil), mesh.Invalid)
		wantKind(t, sdk.Register[int](client, "").Put(ctx, 1), mesh.Invalid)
	})
}

func TestSets(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		set, cart := sdk.Set[int](client, "set"), sdk.ORSet[string](client, "cart")
		for _, n := range []int{1, 2, 1} {
			if err := set.Add(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		numbers, err := set.All(ctx)
		if err != nil || !slices.Equal(numbers, []int{1, 2}) {
			t.Errorf("All = %v, %v", numbers, err)
		}
		if err := cart.Add(ctx, "apple", "pear"); err != nil {
			t.Fatal(err)
		}
		if err := cart.Remove(ctx, "apple", "plum"); err != nil {
			t.Fatal(err)
		}
		left, err := cart.All(ctx)
		if err != nil || !slices.Equal(left, []string{"pear"}) {
			t.Errorf("All = %v, %v", left, err)
		}
	})
}

func TestCounterAndMap(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		visits := sdk.Counter(client, "visits")
		for _, n := range []int64{5, -2} {
			if err := visits.Inc(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		n, err := visits.Value(ctx)
		want(t, n, err, 3)

		ages := sdk.Map[int](client, "ages")
		for name, age := range map[string]int{"ada": 36, "bob": 7} {
			if err := ages.Put(ctx, name, age); err != nil {
				t.Fatal(err)
			}
		}
		age, err := ages.Get(ctx, "ada")
		want(t, age, err, 36)
		if err := ages.Drop(ctx, "bob"); err != nil {
			t.Fatal(err)
		}
		_, err = ages.Get(ctx, "bob")
		wantKind(t, err, mesh.NotFound)
		all, err := ages.All(ctx)
		if err != nil || !maps.Equal(all, map[string]int{"ada": 36}) {
			t.Errorf("All = %v, %v", all, err)
		}
	})
}

func TestAcksAndQuorums(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		op := lattice.SetOp((mesh.Value{Format: mesh.Text, Data: []byte("x")}).AppendBinary(nil))
		both := client.WithState(sdk.StateOptions{WriteQuorum: 2, ReadQuorum: 2, Durability: mesh.Synced})
		ack, err := both.Put(t.Context(), "k", lattice.LWWKind, op)
		if err != nil || ack.Replicas < 2 || ack.Durability != mesh.Synced {
			t.Errorf("Put = %+v, %v", ack, err)
		}
		if _, err := both.Get(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		tooMany := client.WithState(sdk.StateOptions{WriteQuorum: 3})
		_, err = tooMany.Put(t.Context(), "k", lattice.LWWKind, op)
		wantKind(t, err, mesh.Unavailable)
	})
}

func TestListGoesThroughAllPages(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		const many = 300
		for i := range many {
			if err := sdk.Register[int](client, fmt.Sprintf("key/%04d", i)).Put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		var names []string
		for key, err := range client.List(t.Context(), "key/") {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, key.Name)
		}
		if len(names) != many || !slices.IsSorted(names) {
			t.Errorf("%d names: expected %d, in order", len(names), many)
		}
		for range client.List(t.Context(), "key/") {
			break // a listing may be left
		}
	})
}
