package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// DeployOptions say how a module becomes a function.
type DeployOptions struct {
	// Export is the name under which the module exports the function. Empty:
	// the function's own name, or the only one there is.
	Export string
	// Limits of each invocation, within those of the nodes.
	Limits mesh.Limits
}

// Deploy stores a WebAssembly module and makes it the current version of a
// function of the client's namespace, from the next call on. Older versions
// stay callable by version. What no node could run is Invalid.
func (c *Client) Deploy(ctx context.Context, name string, module []byte, o DeployOptions) (mesh.FuncInfo, error) {
	op := "deploy " + name
	ref := mesh.FuncRef{Namespace: c.namespace, Name: name}
	if err := ref.Validate(); err != nil {
		return mesh.FuncInfo{}, mesh.AsError(op, err)
	}
	reply, err := do[*pb.DeployReply](ctx, c, op, &pb.Deploy{
		Ref: wire.FromFuncRef(ref), Module: module, Export: o.Export, Limits: wire.FromLimits(o.Limits),
	})
	if err != nil {
		return mesh.FuncInfo{}, err
	}
	return wire.ToFuncInfo(reply.Info)
}

// FuncVersions is a function's current version, or the one that was asked
// for, and the names of all.
type FuncVersions struct {
	Current  mesh.FuncInfo
	Versions []string // oldest first
}

// GetFunc describes a function, or with a name such as "square@v" one version
// of it, v being a version or an alias. See Versions for all of them.
func (c *Client) GetFunc(ctx context.Context, name string) (FuncVersions, error) {
	ref, err := mesh.ParseFuncRef(c.namespace, name)
	if err != nil {
		return FuncVersions{}, err
	}
	reply, err := do[*pb.GetFuncReply](ctx, c, "get function "+name, &pb.GetFunc{Ref: wire.FromFuncRef(ref)})
	if err != nil {
		return FuncVersions{}, err
	}
	info, err := wire.ToFuncInfo(reply.Info)
	return FuncVersions{Current: info, Versions: reply.Versions}, err
}

// DeleteFunc removes a function with all its versions. DAGs that name it stay, and fail when called.
func (c *Client) DeleteFunc(ctx context.Context, name string) error {
	ref := mesh.FuncRef{Namespace: c.namespace, Name: name}
	_, err := do[*pb.Done](ctx, c, "delete function "+name, &pb.DeleteFunc{Ref: wire.FromFuncRef(ref)})
	return err
}

// ListFuncs gives the functions whose names begin with prefix, in order,
// fetched a page at a time. An error ends it.
func (c *Client) ListFuncs(ctx context.Context, prefix string) iter.Seq2[mesh.FuncInfo, error] {
	return c.ListFuncsAfter(ctx, prefix, "")
}

// ListFuncsAfter is ListFuncs from the names on that come after a name: the
// last one of an earlier list.
func (c *Client) ListFuncsAfter(ctx context.Context, prefix, name string) iter.Seq2[mesh.FuncInfo, error] {
	return pagesAfter(name, func(after string) ([]mesh.FuncInfo, bool, error) {
		reply, err := do[*pb.ListFuncsReply](ctx, c, "list functions",
			&pb.ListFuncs{Namespace: c.namespace, Prefix: prefix, After: after})
		if err != nil {
			return nil, false, err
		}
		infos, err := convert(reply.Functions, wire.ToFuncInfo)
		return infos, reply.More, err
	}, func(info mesh.FuncInfo) string { return info.Ref.Name })
}

// CreateDAG stores a DAG, instead of an earlier one of its name. A DAG, and
// functions, that name no namespace are of the client's. The functions must
// exist. See NewDAG.
func (c *Client) CreateDAG(ctx context.Context, d *mesh.DAG) error {
	placed := inNamespace(d, c.namespace)
	if err := placed.Validate(); err != nil {
		return err
	}
	_, err := do[*pb.Done](ctx, c, "create dag "+d.Name, &pb.CreateDAG{Dag: wire.FromDAG(placed)})
	return err
}

// GetDAG reads a DAG.
func (c *Client) GetDAG(ctx context.Context, name string) (*mesh.DAG, error) {
	reply, err := do[*pb.GetDAGReply](ctx, c, "get dag "+name, &pb.GetDAG{Namespace: c.namespace, Name: name})
	if err != nil {
		return nil, err
	}
	return wire.ToDAG(reply.Dag)
}

// DeleteDAG removes a DAG; its functions and runs under way stay.
func (c *Client) DeleteDAG(ctx context.Context, name string) error {
	_, err := do[*pb.Done](ctx, c, "delete dag "+name, &pb.DeleteDAG{Namespace: c.namespace, Name: name})
	return err
}

// ListDAGs gives the DAGs whose names begin with prefix, as ListFuncs does.
func (c *Client) ListDAGs(ctx context.Context, prefix string) iter.Seq2[*mesh.DAG, error] {
	return c.ListDAGsAfter(ctx, prefix, "")
}

// ListDAGsAfter is ListDAGs from the names on that come after a name.
func (c *Client) ListDAGsAfter(ctx context.Context, prefix, name string) iter.Seq2[*mesh.DAG, error] {
	return pagesAfter(name, func(after string) ([]*mesh.DAG, bool, error) {
		reply, err := do[*pb.ListDAGsReply](ctx, c, "list dags",
			&pb.ListDAGs{Namespace: c.namespace, Prefix: prefix, After: after})
		if err != nil {
			return nil, false, err
		}
		dags, err := convert(reply.Dags, wire.ToDAG)
		return dags, reply.More, err
	}, func(d *mesh.DAG) string { return d.Name })
}
