package sdk_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

func TestReadsOfAHotKeySpreadOverOwnersAndExtraReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := simmesh.Start(t.Context(), simmesh.Options{
			Nodes: 7, Network: sim.NewNetwork(1, sim.Conditions{Delay: time.Millisecond}),
			Configure: func(_ int, cfg *node.Config) {
				cfg.ModuleCache = t.TempDir()
				cfg.HotKeys = node.HotKeyPolicy{Rate: 50, Sample: 1, MaxReaders: 2, Life: 2 * time.Second, Grace: 10 * time.Second}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		client := dialSim(t, m)
		defer client.Close()
		popular := sdk.Register[int](client, "popular")
		if err := popular.Put(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		read := func(d time.Duration) map[mesh.NodeID]int {
			to := map[mesh.NodeID]int{}
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(6 * time.Millisecond) {
				node, _, err := sdk.Route(t.Context(), client, "popular")
				if err != nil {
					t.Fatal(err)
				}
				to[node]++
				got, err := popular.Get(t.Context())
				want(t, got, err, 7)
			}
			return to
		}
		read(15 * time.Second)
		spread := read(4 * time.Second)
		for try := 0; try < 10 && len(spread) < 3; try++ { // connections to readers are made beside the reads
			spread = read(4 * time.Second)
		}
		if len(spread) < 3 {
			t.Errorf("reads of a hot key go to %d nodes: expected 3 or more", len(spread))
		}
		if n := sdk.Connections(client); n > 4 {
			t.Errorf("the client has connections to %d nodes: expected at most 4", n)
		}
		time.Sleep(time.Minute)
		for range 20 { // which tell that the key is hot no more
			got, err := popular.Get(t.Context())
			want(t, got, err, 7)
			time.Sleep(time.Second)
		}
		if spread := read(100 * time.Millisecond); len(spread) != 1 {
			t.Errorf("reads of a key that is not hot any more go to %d nodes: expected 1", len(spread))
		}
	})
}
