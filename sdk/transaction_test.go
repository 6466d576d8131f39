package sdk_test

import (
	"context"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

func TestATransactionReadsAKeyOnce(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, txn := t.Context(), client.Transaction()
		put := func(name, text string) {
			t.Helper()
			if _, err := client.Put(ctx, name, lattice.LWWKind, lattice.SetOp([]byte(text))); err != nil {
				t.Fatal(err)
			}
		}
		reads := func(name, want string) {
			t.Helper()
			v, err := txn.Get(ctx, name)
			payload, _ := v.Payload()
			if err != nil || string(payload) != want {
				t.Errorf("%s reads %q, %v, want %q", name, payload, err, want)
			}
		}
		put("a", "1")
		reads("a", "1")
		_, err := txn.Get(ctx, "b")
		wantKind(t, err, mesh.NotFound)
		put("a", "2")
		put("b", "2")
		reads("a", "1")
		_, err = txn.Get(ctx, "b")
		wantKind(t, err, mesh.NotFound)

		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		put("c", "1")
		txn.Get(cancelled, "c") // a node in this process may have it at hand all the same
		reads("c", "1")         // that a read failed is not remembered
	})
}

func TestPutsOfATransactionAreMadeByItsCommit(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx, txn := t.Context(), client.Transaction()
		txn.Put("register", lattice.LWWKind, lattice.SetOp([]byte("never seen")))
		txn.Put("register", lattice.LWWKind, lattice.SetOp([]byte("last")))
		txn.Put("counter", lattice.PNCounterKind, lattice.IncOp(2))
		txn.Put("counter", lattice.PNCounterKind, lattice.IncOp(3))
		abandoned := client.Transaction()
		abandoned.Put("counter", lattice.PNCounterKind, lattice.IncOp(100))
		for _, name := range []string{"register", "counter"} {
			_, err := client.Get(ctx, name)
			wantKind(t, err, mesh.NotFound)
		}
		for range 2 { // the second time there is nothing left to do
			if err := txn.Commit(ctx); err != nil {
				t.Fatal(err)
			}
		}
		n, err := sdk.Counter(client, "counter").Value(ctx)
		want(t, n, err, 5)
		v, err := client.Get(ctx, "register")
		payload, _ := v.Payload()
		want(t, string(payload), err, "last")
	})
}

func TestACommitThatFailedIsGoneOnWith(t *testing.T) {
	m := startMesh(t, 2)
	client := m.dial(admission.AllVerbs)
	if err := sdk.Set[string](client, "set").Add(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	txn := client.Transaction()
	txn.Put("counter", lattice.PNCounterKind, lattice.IncOp(1))
	txn.Put("set", lattice.PNCounterKind, lattice.IncOp(1)) // of another kind
	for range 3 {
		wantKind(t, txn.Commit(t.Context()), mesh.KindMismatch)
	}
	if err := client.Delete(t.Context(), "set"); err != nil {
		t.Fatal(err)
	}
	if err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"counter", "set"} {
		n, err := sdk.Counter(client, name).Value(t.Context())
		want(t, n, err, 1)
	}
}
