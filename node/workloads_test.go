package node

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// outlookOf gives an outlook on n1, which is this node, and n2.
func outlookOf(told *workloads) *outlook {
	nodes := []mesh.NodeID{"n1", "n2"}
	live := func() []mesh.NodeID { return nodes }
	return &outlook{
		self: "n1", policy: PlacementPolicy{}.withDefaults(), live: live, staying: live, told: told,
		rtt: func(mesh.NodeID) time.Duration { return time.Millisecond },
	}
}

func TestWhatANodeToldIsNotBelievedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told workloads
		o := outlookOf(&told)
		busy := &pb.Workload{Running: 9, Capacity: 10, Labels: map[string]string{"gpu": "a"}}
		if err := told.handle("n2", busy); err != nil {
			t.Fatal(err)
		}
		o.renew(&pb.Workload{Capacity: 10})
		if n := o.prospect().nodes["n2"]; n.Load != 0.9 || !n.Cooling || n.Labels["gpu"] != "a" || n.RTT != time.Millisecond {
			t.Errorf("it is %+v", n)
		}
		time.Sleep(staleAfter + time.Second)
		o.renew(&pb.Workload{Capacity: 10})
		if n := o.prospect().nodes["n2"]; n.Load != 0 || n.Cooling || n.Labels != nil {
			t.Errorf("later it is %+v: expected nothing to be known", n)
		}
	})
}

func TestANodeThatWasBusyCools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told workloads
		o := outlookOf(&told)
		tell := func(running uint32) {
			if err := told.handle("n2", &pb.Workload{Running: running, Capacity: 10}); err != nil {
				t.Fatal(err)
			}
			o.renew(&pb.Workload{Capacity: 10})
		}
		tell(8)
		time.Sleep(time.Second)
		if tell(0); !o.prospect().nodes["n2"].Cooling {
			t.Error("a second after it was busy it does not cool")
		}
		time.Sleep(2 * time.Second)
		if tell(0); o.prospect().nodes["n2"].Cooling {
			t.Error("three seconds after it was busy it still cools")
		}
	})
}

func TestCostsAreWhatMostCallsTake(t *testing.T) {
	ref := &pb.FuncRef{Namespace: "default", Name: "f", Version: "v"}
	var told workloads
	o := outlookOf(&told)
	if err := told.handle("n2", &pb.Workload{Functions: []*pb.FuncUse{{Ref: ref, MilliRate: 90_000, MeanUs: 1000, ResultBytes: 100, ColdUs: 7000}}}); err != nil {
		t.Fatal(err)
	}
	o.renew(&pb.Workload{Functions: []*pb.FuncUse{{Ref: ref, MilliRate: 10_000, MeanUs: 11_000, ResultBytes: 1100}}})
	cost := o.prospect().costs[mesh.FuncRef{Namespace: "default", Name: "f", Version: "v"}]
	if cost.Mean != 2*time.Millisecond || cost.ResultBytes != 200 || cost.Cold != 7*time.Millisecond || cost.Rate != 50 {
		t.Errorf("it is %+v: expected 2ms, 200 bytes, 7ms for a cold start, 50 calls a second for each node", cost)
	}
}

func TestWorkloadsThatCannotBeAreRefused(t *testing.T) {
	for name, m := range map[string]*pb.Workload{
		"a label":           {Labels: map[string]string{"a b": "c"}},
		"a function":        {Functions: []*pb.FuncUse{{}}},
		"too many of these": {Functions: make([]*pb.FuncUse, maxTold+1)},
	} {
		var told workloads
		if err := told.handle("n2", m); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}
