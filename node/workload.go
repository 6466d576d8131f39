package node

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/exec"
)

// Each second a node looks at its work. What it tells the others is told
// again after a while though it has not changed, since it is not believed for
// longer than staleAfter.
const (
	lookAtWork = time.Second
	tellAgain  = 3 * time.Second
)

// followWork tells the other nodes how busy this one is, and renews what plans
// are made by, until ctx ends.
func (r *rooms) followWork(ctx context.Context) {
	ticker := time.NewTicker(lookAtWork)
	defer ticker.Stop()
	told := map[mesh.NodeID]toldWork{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		own := r.workload()
		told = r.tellWorkload(ctx, own, told)
		r.outlook.renew(own)
	}
}

// workload is how busy this node is.
func (r *rooms) workload() *pb.Workload {
	load := r.exec.Load()
	m := &pb.Workload{
		Labels: r.cfg.Labels, Running: uint32(load.Running), Waiting: uint32(load.Waiting), Capacity: uint32(load.Capacity),
	}
	for _, u := range r.exec.Usages(time.Now()) {
		if len(m.Functions) == maxTold {
			break
		}
		if use := useMessage(u); use.MilliRate > 0 || use.Warm > 0 || use.Running+use.Waiting > 0 {
			m.Functions = append(m.Functions, use)
		}
	}
	return m
}

func useMessage(u exec.Usage) *pb.FuncUse {
	return &pb.FuncUse{
		Ref: wire.FromFuncRef(u.Func.Ref), Warm: uint32(u.Warm), Running: uint32(u.Running), Waiting: uint32(u.Waiting), Limit: uint32(u.Limit),
		MilliRate: uint64(1000 * u.Rate), MeanUs: uint64(u.Mean.Microseconds()), P95Us: uint64(u.P95.Microseconds()),
		ResultBytes: uint64(max(0, u.ResultBytes)), ColdUs: uint64(u.ColdStart.Microseconds()), Calls: u.Calls, ColdStarts: u.ColdStarts,
	}
}

// toldWork is what a node was told last, and when.
type toldWork struct {
	encoded []byte
	at      time.Time
}

// tellWorkload sends the workload to the live nodes that were told otherwise,
// or long ago. A node that has no work, no labels and nothing warm has nothing to tell.
func (r *rooms) tellWorkload(ctx context.Context, own *pb.Workload, told map[mesh.NodeID]toldWork) map[mesh.NodeID]toldWork {
	idle := len(own.Labels)+len(own.Functions) == 0 && own.Running+own.Waiting == 0
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(own)
	if err != nil {
		return told
	}
	now := make(map[mesh.NodeID]toldWork, len(told))
	at := time.Now()
	for _, node := range r.live() {
		before, known := told[node]
		unchanged := known && bytes.Equal(before.encoded, encoded)
		switch {
		case node == r.self:
		case unchanged && (idle || at.Sub(before.at) < tellAgain):
			now[node] = before
		case !known && idle:
		case r.peers.Send(ctx, node, own) == nil:
			now[node] = toldWork{encoded, at}
		}
	}
	return now
}
