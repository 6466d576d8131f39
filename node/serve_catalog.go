package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// defaultPage is how many functions, DAGs or keys a list gives when the
// request says none, and maxPage the most that it gives.
const (
	defaultPage = 100
	maxPage     = 1000
)

func page(limit uint32) int {
	if limit == 0 {
		return defaultPage
	}
	return int(min(limit, maxPage))
}

func (r *rooms) deploy(ctx context.Context, m *pb.Deploy) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	if ref.Version != "" {
		return nil, mesh.Errorf(mesh.Invalid, "deploy "+ref.String(), "the version is the hash of the content: expected a name alone")
	}
	inspected, err := r.exec.Inspect(ctx, m.Module)
	if err != nil {
		return nil, mesh.AsError("deploy "+ref.String(), err)
	}
	info := mesh.FuncInfo{Kind: inspected.Kind, Module: inspected.Hash, Size: int64(len(m.Module)), Limits: wire.ToLimits(m.Limits)}
	if info.Kind == mesh.Wasm {
		if info.Export, err = chooseExport(ref, m.GetExport(), inspected.Functions); err != nil {
			return nil, err
		}
	}
	ref.Version = contentVersion(info)
	info.Ref = ref
	if err := r.catalog.Deploy(ctx, info, m.Module); err != nil {
		return nil, mesh.AsError("deploy "+ref.String(), err)
	}
	return &pb.DeployReply{Info: wire.FromFuncInfo(info)}, nil
}

// chooseExport picks the function of a module: the one asked for, else the
// one with the function's name, else the only one.
func chooseExport(ref mesh.FuncRef, asked string, exports []string) (string, error) {
	switch {
	case asked != "" && slices.Contains(exports, asked):
		return asked, nil
	case asked == "" && slices.Contains(exports, ref.Name):
		return ref.Name, nil
	case asked == "" && len(exports) == 1:
		return exports[0], nil
	}
	wanted := asked
	if wanted == "" {
		wanted = ref.Name
	}
	return "", mesh.Errorf(mesh.Invalid, "deploy "+ref.String(), "the module exports no function %q: it has %s", wanted, strings.Join(exports, ", "))
}

// contentVersion names what will run: equal for equal content.
func contentVersion(info mesh.FuncInfo) string {
	sum := sha256.Sum256([]byte(info.Module + "\x00" + info.Export))
	return hex.EncodeToString(sum[:6])
}

func (r *rooms) getFunc(ctx context.Context, m *pb.GetFunc) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	info, err := r.catalog.Function(ctx, ref)
	if err != nil {
		return nil, err
	}
	versions, err := r.catalog.Versions(ctx, ref)
	if err != nil {
		return nil, err
	}
	info.Hosts = r.liveOnly(info.Hosts)
	reply := &pb.GetFuncReply{Info: wire.FromFuncInfo(info), Current: versions.Current, Aliases: versions.Aliases}
	for _, version := range versions.All {
		version.Hosts = r.liveOnly(version.Hosts)
		reply.Versions = append(reply.Versions, version.Ref.Version)
		reply.Details = append(reply.Details, &pb.FuncVersion{Info: wire.FromFuncInfo(version.FuncInfo), DeployedUnixMs: version.Deployed.UnixMilli()})
	}
	return reply, nil
}

func (r *rooms) setAlias(ctx context.Context, m *pb.SetAlias) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	return nil, r.catalog.Alias(ctx, ref, m.GetAlias())
}

func (r *rooms) listFuncs(ctx context.Context, m *pb.ListFuncs) (wire.Message, error) {
	infos, more, err := r.catalog.Functions(ctx, m.GetNamespace(), m.GetPrefix(), m.GetAfter(), page(m.GetLimit()))
	if err != nil {
		return nil, err
	}
	reply := &pb.ListFuncsReply{More: more}
	for _, info := range infos {
		info.Hosts = r.liveOnly(info.Hosts)
		reply.Functions = append(reply.Functions, wire.FromFuncInfo(info))
	}
	return reply, nil
}

// liveOnly drops hosts that are not in the view.
func (r *rooms) liveOnly(hosts []mesh.NodeID) []mesh.NodeID {
	live := r.live()
	return slices.DeleteFunc(slices.Clone(hosts), func(host mesh.NodeID) bool { return !slices.Contains(live, host) })
}

func (r *rooms) deleteFunc(ctx context.Context, m *pb.DeleteFunc) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	return nil, r.catalog.DeleteFunction(ctx, ref)
}

func (r *rooms) useVersion(ctx context.Context, m *pb.UseVersion) (wire.Message, error) {
	ref, err := wire.ToFuncRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	return nil, r.catalog.Use(ctx, ref)
}

func (r *rooms) createDAG(ctx context.Context, m *pb.CreateDAG) (wire.Message, error) {
	d, err := wire.ToDAG(m.GetDag())
	if err != nil {
		return nil, err
	}
	return nil, r.catalog.CreateDAG(ctx, d)
}

func (r *rooms) getDAG(ctx context.Context, m *pb.GetDAG) (wire.Message, error) {
	d, err := r.catalog.DAG(ctx, m.GetNamespace(), m.GetName())
	if err != nil {
		return nil, err
	}
	return &pb.GetDAGReply{Dag: wire.FromDAG(d)}, nil
}

func (r *rooms) listDAGs(ctx context.Context, m *pb.ListDAGs) (wire.Message, error) {
	dags, more, err := r.catalog.DAGs(ctx, m.GetNamespace(), m.GetPrefix(), m.GetAfter(), page(m.GetLimit()))
	if err != nil {
		return nil, err
	}
	reply := &pb.ListDAGsReply{More: more}
	for _, d := range dags {
		reply.Dags = append(reply.Dags, wire.FromDAG(d))
	}
	return reply, nil
}

// announceTimeout bounds how long an announcement waits for a node that lives but does not answer.
const announceTimeout = 2 * time.Second

// announce makes all live nodes forget a function or DAG. A node that cannot
// be reached is gone, and forgets all when it is back.
func (r *rooms) announce(ctx context.Context, namespace, name string) error {
	r.catalog.Forget(namespace, name)
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	changed := &pb.CatalogChanged{Namespace: namespace, Name: name}
	var nodes errgroup.Group
	for _, node := range r.live() {
		if node == r.self {
			continue
		}
		nodes.Go(func() error {
			if _, err := r.peers.Call(ctx, node, changed); err != nil {
				r.log.Warn("a node was not told of a change to the catalog", "node", node, "name", name, "err", err)
			}
			return nil
		})
	}
	return nodes.Wait()
}
