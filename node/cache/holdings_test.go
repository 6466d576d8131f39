package cache

import (
	"maps"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestPublishedHoldingsReplaceWhatWasSaid(t *testing.T) {
	var p Published
	a, b := mesh.Key{Namespace: "default", Name: "a"}, mesh.Key{Namespace: "default", Name: "b"}
	say := func(node mesh.NodeID, m *pb.Holdings) {
		t.Helper()
		if err := p.HandleHoldings(node, m); err != nil {
			t.Fatal(err)
		}
	}
	say("n1", &pb.Holdings{Keys: []uint64{idOf(a)}, Bytes: []uint64{10}})
	say("n2", &pb.Holdings{Keys: []uint64{idOf(a), idOf(b)}, Bytes: []uint64{10, 20}})
	holds := func(key mesh.Key, want map[mesh.NodeID]int64) {
		t.Helper()
		if got := p.Holders(key); !maps.Equal(got, want) {
			t.Errorf("holders of %v are %v, want %v", key, got, want)
		}
	}
	holds(a, map[mesh.NodeID]int64{"n1": 10, "n2": 10})
	holds(b, map[mesh.NodeID]int64{"n2": 20})
	say("n1", &pb.Holdings{Keys: []uint64{idOf(b)}, Bytes: []uint64{5}})
	p.Forget("n2")
	holds(a, nil)
	holds(b, map[mesh.NodeID]int64{"n1": 5})
	for _, m := range []*pb.Holdings{
		{Keys: []uint64{1}}, {Keys: make([]uint64, MaxHoldings+1), Bytes: make([]uint64, MaxHoldings+1)},
	} {
		if err := p.HandleHoldings("n1", m); mesh.KindOf(err) != mesh.Invalid {
			t.Errorf("%d keys and %d sizes: %v, want Invalid", len(m.Keys), len(m.Bytes), err)
		}
	}
}
