package node

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// funcUsages tells what this node knows of how the functions of a namespace are used.
func (r *rooms) funcUsages(ctx context.Context, m *pb.Usage) (*pb.UsageReply, error) {
	if err := mesh.ValidateNamespace(m.GetNamespace()); err != nil {
		return nil, err
	}
	now := time.Now()
	byRef := map[mesh.FuncRef]*pb.FuncUsage{}
	for _, node := range r.live() {
		var uses []*pb.FuncUse
		if node == r.self {
			uses = r.workload().Functions
		} else if told := r.workloads.of(node, now); told != nil {
			uses = told.uses
		}
		for _, use := range uses {
			if ref, err := wire.ToFuncRef(use.Ref); err == nil && ref.Namespace == m.Namespace {
				known := r.funcUsageOf(byRef, ref)
				known.Uses, known.Nodes = append(known.Uses, use), append(known.Nodes, []byte(node))
			}
		}
	}
	for name, nodes := range r.warmth.pins.current(ctx, r, now) {
		if name.Namespace != m.Namespace {
			continue
		}
		if info, err := r.catalog.Function(ctx, name); err == nil {
			r.funcUsageOf(byRef, info.Ref).Pinned = uint32(nodes)
		}
	}
	reply := &pb.UsageReply{}
	for _, usage := range byRef {
		reply.Functions = append(reply.Functions, usage)
	}
	slices.SortFunc(reply.Functions, func(a, b *pb.FuncUsage) int {
		return cmp.Or(cmp.Compare(a.Ref.Name, b.Ref.Name), cmp.Compare(a.Ref.Version, b.Ref.Version))
	})
	return reply, nil
}

func (r *rooms) funcUsageOf(byRef map[mesh.FuncRef]*pb.FuncUsage, ref mesh.FuncRef) *pb.FuncUsage {
	if byRef[ref] == nil {
		byRef[ref] = &pb.FuncUsage{Ref: wire.FromFuncRef(ref), Wanted: uint32(r.warmth.wantedNodes(ref))}
	}
	return byRef[ref]
}
