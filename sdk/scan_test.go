package sdk_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func TestScanGivesKeysWithTheirValues(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		const many = 250
		for i := range many {
			if err := sdk.Register[int](client, fmt.Sprintf("key/%04d", i)).Put(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		for i := 100; i < 220; i++ { // more than a page of nothing
			if err := client.Delete(t.Context(), fmt.Sprintf("key/%04d", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := sdk.Register[[]byte](client, "key/large").Put(t.Context(), bytes.Repeat([]byte("x"), 2<<20)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for key, err := range client.Scan(t.Context(), "key/") {
			if err != nil {
				t.Fatal(err)
			}
			if key.Omitted {
				got = append(got, key.Name+" omitted")
				continue
			}
			if payload, ok := key.Value.Payload(); !ok || len(payload) == 0 {
				t.Errorf("%s holds %s", key.Name, key.Value.Kind())
			}
			got = append(got, key.Name)
		}
		if len(got) != many-120+1 || got[99] != "key/0099" || got[100] != "key/0220" || got[len(got)-1] != "key/large omitted" {
			t.Errorf("%d keys, the last is %s", len(got), got[len(got)-1])
		}
		for _, err := range client.In("Not Valid").Scan(t.Context(), "") {
			wantKind(t, err, mesh.Invalid)
		}
	})
}
