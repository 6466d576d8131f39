package sdk

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FuncVersion is one version of a function.
type FuncVersion struct {
	mesh.FuncInfo
	Deployed time.Time // the last time
	Current  bool      // it runs where no version is named
	Aliases  []string  // in order
}

// Versions tells all versions of a function, oldest first.
func (c *Client) Versions(ctx context.Context, name string) ([]FuncVersion, error) {
	op := "versions of " + name
	ref := mesh.FuncRef{Namespace: c.namespace, Name: name}
	if err := ref.Validate(); err != nil {
		return nil, mesh.AsError(op, err)
	}
	reply, err := do[*pb.GetFuncReply](ctx, c, op, &pb.GetFunc{Ref: wire.FromFuncRef(ref)})
	if err != nil {
		return nil, err
	}
	return convert(reply.Details, func(m *pb.FuncVersion) (FuncVersion, error) {
		info, err := wire.ToFuncInfo(m.GetInfo())
		v := FuncVersion{FuncInfo: info, Deployed: time.UnixMilli(m.GetDeployedUnixMs()), Current: info.Ref.Version == reply.Current}
		for _, alias := range slices.Sorted(maps.Keys(reply.Aliases)) {
			if reply.Aliases[alias] == info.Ref.Version {
				v.Aliases = append(v.Aliases, alias)
			}
		}
		return v, err
	})
}

// UseVersion makes a version of a function, which may be named by an alias,
// the current one.
func (c *Client) UseVersion(ctx context.Context, name, version string) error {
	ref := mesh.FuncRef{Namespace: c.namespace, Name: name, Version: version}
	_, err := do[*pb.Done](ctx, c, "use "+ref.String(), &pb.UseVersion{Ref: wire.FromFuncRef(ref)})
	return err
}

// Rollback makes the version that was deployed before the current one the
// current one, and gives it. Conflict means that there is none.
func (c *Client) Rollback(ctx context.Context, name string) (mesh.FuncInfo, error) {
	versions, err := c.Versions(ctx, name)
	if err != nil {
		return mesh.FuncInfo{}, err
	}
	at := slices.IndexFunc(versions, func(v FuncVersion) bool { return v.Current })
	if at < 1 {
		return mesh.FuncInfo{}, mesh.Errorf(mesh.Conflict, "roll back "+name, "no version was deployed before the current one")
	}
	before := versions[at-1].FuncInfo
	return before, c.UseVersion(ctx, name, before.Ref.Version)
}

// SetAlias makes alias a name for a version of a function, instead of for
// another one: name@alias is then that version, in calls and in DAGs. The
// version may be named by another alias, whose version it is now.
func (c *Client) SetAlias(ctx context.Context, name, alias, version string) error {
	op := "alias " + name + "@" + alias
	if version == "" {
		return mesh.Errorf(mesh.Invalid, op, "no version: expected one of those that the function has")
	}
	return c.alias(ctx, op, mesh.FuncRef{Namespace: c.namespace, Name: name, Version: version}, alias)
}

// DeleteAlias removes an alias; the version that it names stays. What calls
// by it then fails with NotFound.
func (c *Client) DeleteAlias(ctx context.Context, name, alias string) error {
	return c.alias(ctx, "delete alias "+name+"@"+alias, mesh.FuncRef{Namespace: c.namespace, Name: name}, alias)
}

func (c *Client) alias(ctx context.Context, op string, ref mesh.FuncRef, alias string) error {
	_, err := do[*pb.Done](ctx, c, op, &pb.SetAlias{Ref: wire.FromFuncRef(ref), Alias: alias})
	return err
}
