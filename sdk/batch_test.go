package sdk_test

import (
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func TestBatches(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		large := string(make([]byte, 6<<20))
		var puts []sdk.Putting
		var names []string
		for i := range 1100 {
			name := fmt.Sprint("k", i)
			value := fmt.Sprint("v", i)
			if i%500 == 0 { // together more than a batch may have
				value = large
			}
			names = append(names, name)
			puts = append(puts, sdk.Putting{Name: name, Kind: lattice.LWWKind, Op: lattice.SetOp([]byte(value))})
		}
		put, err := client.PutAll(ctx, puts...)
		if err != nil || len(put) != len(puts) {
			t.Fatalf("%d answers, %v", len(put), err)
		}
		for i, result := range put {
			if result.Err != nil || result.Ack.Replicas < 1 || result.Name != names[i] {
				t.Fatalf("put %d: %+v", i, result)
			}
		}
		got, err := client.GetAll(ctx, append(names, "missing")...)
		if err != nil || len(got) != len(names)+1 {
			t.Fatalf("%d answers, %v", len(got), err)
		}
		for i, result := range got[:len(names)] {
			payload, _ := result.Value.Payload()
			if want := fmt.Sprint("v", i); result.Err != nil || string(payload) != want && string(payload) != large {
				t.Fatalf("get %d: %.20q, %v", i, payload, result.Err)
			}
		}
		wantKind(t, got[len(names)].Err, mesh.NotFound)
		mixed, err := client.PutAll(ctx, puts[1], sdk.Putting{Name: "k2", Kind: lattice.SetKind, Op: lattice.AddOp("x")})
		if err != nil || mixed[0].Err != nil {
			t.Errorf("%+v, %v", mixed, err)
		}
		wantKind(t, mixed[1].Err, mesh.KindMismatch)
		_, err = client.GetAll(ctx, "k1", "")
		wantKind(t, err, mesh.Invalid)
		if none, err := client.GetAll(ctx); err != nil || len(none) != 0 {
			t.Errorf("of nothing: %v, %v", none, err)
		}
	})
}
