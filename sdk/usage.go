package sdk

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FuncUsage is how one version of a function is used, as far as the asked
// node knows.
type FuncUsage struct {
	Ref    mesh.FuncRef
	Pinned int // nodes that keep it warm at least
	Wanted int // nodes that keep it warm for its load, or for being pinned
	Nodes  []FuncUse
}

// FuncUse is how it is used at one node lately.
type FuncUse struct {
	Node        mesh.NodeID
	Warm        int // instances that are ready, or run
	Running     int
	Waiting     int           // for a place
	Rate        float64       // calls per second
	Mean, P95   time.Duration // that one takes once it has its place
	ResultBytes int64         // on average
	ColdStart   time.Duration // that one took lately; 0: there was none
	Calls       uint64        // since the node started
	ColdStarts  uint64        // of them
}

// Usage tells how the functions of the client's namespace are used, those
// that nobody used lately left out.
func (c *Client) Usage(ctx context.Context) ([]FuncUsage, error) {
	reply, err := do[*pb.UsageReply](ctx, c, "usage of functions", &pb.Usage{Namespace: c.namespace})
	if err != nil {
		return nil, err
	}
	return convert(reply.Functions, toFuncUsage)
}

func toFuncUsage(m *pb.FuncUsage) (FuncUsage, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return FuncUsage{}, err
	}
	if len(m.Nodes) != len(m.Uses) {
		return FuncUsage{}, mesh.Errorf(mesh.Internal, "usage of functions", "%d nodes for %d uses: expected as many", len(m.Nodes), len(m.Uses))
	}
	usage := FuncUsage{Ref: ref, Pinned: int(m.Pinned), Wanted: int(m.Wanted)}
	for i, use := range m.Uses {
		usage.Nodes = append(usage.Nodes, FuncUse{
			Node: mesh.NodeID(m.Nodes[i]), Warm: int(use.GetWarm()), Running: int(use.GetRunning()), Waiting: int(use.GetWaiting()),
			Rate: float64(use.GetMilliRate()) / 1000, Mean: micros(use.GetMeanUs()), P95: micros(use.GetP95Us()),
			ResultBytes: int64(use.GetResultBytes()), ColdStart: micros(use.GetColdUs()), Calls: use.GetCalls(), ColdStarts: use.GetColdStarts(),
		})
	}
	return usage, nil
}

func micros(n uint64) time.Duration { return time.Duration(n) * time.Microsecond }

// PinFunc keeps the current version of a function warm on at least so many
// nodes, whatever its load; 0 ends that. It takes effect within seconds.
// Functions that nodes or workers host themselves are always warm, and Invalid.
func (c *Client) PinFunc(ctx context.Context, name string, nodes int) error {
	if nodes < 0 {
		return mesh.Errorf(mesh.Invalid, "pin "+name, "%d nodes: expected 0 or more", nodes)
	}
	ref := mesh.FuncRef{Namespace: c.namespace, Name: name}
	_, err := do[*pb.Done](ctx, c, "pin "+name, &pb.PinFunc{Ref: wire.FromFuncRef(ref), Nodes: uint32(min(nodes, 1<<30))})
	return err
}
