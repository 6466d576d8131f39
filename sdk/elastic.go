package sdk

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// NodesWanted is how many nodes a node finds that the mesh is to have.
type NodesWanted struct {
	Wanted int // 0: it does not know yet, or publishes no figures
	Live   int // those that stay, as of then
	Reason string

	LastHook              HookRun // by any node; zero when there never was one
	HooksRun, HooksFailed uint64  // by the node that was asked, since its start
}

// HookRun is a run of the hook that starts or drains nodes.
type HookRun struct {
	Runner       mesh.NodeID
	Action       string      // add or remove
	Node         mesh.NodeID // the one to be drained
	Live, Wanted int         // nodes before and after it
	Began, Ended time.Time   // by the runner's clock; Ended is zero while it runs
	Failed       string      // why it did; empty when it worked
}

// NodeLoad is how busy a node was on average between its last two publications.
type NodeLoad struct {
	Places     float64       // part of its places for invocations that was taken or waited for
	Processors float64       // part of the machine's processor time that it took
	Disk       float64       // part of the bound on its disk that is taken; 0 without one
	Latency    time.Duration // 99th percentile of requests; 0 where it is not measured
	Waiting    uint64        // invocations that wait for a place now
}

func toNodesWanted(m *pb.NodesWanted) NodesWanted {
	w := NodesWanted{
		Wanted: int(m.GetNodes()), Live: int(m.GetLive()), Reason: m.GetReason(), HooksRun: m.GetHooksRun(), HooksFailed: m.GetHooksFailed(),
	}
	if last := m.GetLast(); last != nil {
		w.LastHook = HookRun{
			Runner: mesh.NodeID(last.Runner), Action: last.Action, Node: mesh.NodeID(last.Node), Live: int(last.Live), Wanted: int(last.Wanted),
			Began: time.UnixMilli(last.BeganUnixMs), Failed: last.Failed,
		}
		if last.EndedUnixMs != 0 {
			w.LastHook.Ended = time.UnixMilli(last.EndedUnixMs)
		}
	}
	return w
}

func toNodeLoad(m *pb.NodeLoad) NodeLoad {
	part := func(thousandths uint64) float64 { return float64(thousandths) / 1000 }
	return NodeLoad{
		Places: part(m.GetPlaces()), Processors: part(m.GetProcessors()), Disk: part(m.GetDisk()),
		Latency: time.Duration(m.GetLatencyUs()) * time.Microsecond, Waiting: m.GetWaiting(),
	}
}
