package catalog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Function describes the version that ref names, itself or by an alias, or the
// current one. NotFound says what is missing, and what there is.
func (c *Catalog) Function(ctx context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error) {
	record, err := c.record(ctx, ref)
	if err != nil {
		return mesh.FuncInfo{}, err
	}
	return record.find(ref)
}

// find gives the version that ref names, itself or by an alias, or the current one.
func (r *functionRecord) find(ref mesh.FuncRef) (mesh.FuncInfo, error) {
	version := ref.Version
	if version == "" {
		version = r.current
	}
	if info, ok := r.versions[version]; ok {
		return info, nil
	}
	if info, ok := r.versions[r.aliases[version]]; ok {
		return info, nil
	}
	known := "there are " + strings.Join(r.order, ", ")
	if len(r.aliases) > 0 {
		known += "; aliases " + strings.Join(slices.Sorted(maps.Keys(r.aliases)), ", ")
	}
	return mesh.FuncInfo{}, mesh.Errorf(mesh.NotFound, "function "+ref.String(), "no such version: %s", known)
}

// Functions lists the current versions of functions whose names begin with
// prefix and come after after, in order.
func (c *Catalog) Functions(ctx context.Context, namespace, prefix, after string, limit int) ([]mesh.FuncInfo, bool, error) {
	names, more, err := c.list(ctx, functionKind, namespace, prefix, after, limit)
	if err != nil {
		return nil, false, err
	}
	infos := make([]mesh.FuncInfo, 0, len(names))
	for _, n := range names {
		info, err := c.Function(ctx, mesh.FuncRef{Namespace: namespace, Name: n})
		if errors.Is(err, mesh.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		infos = append(infos, info)
	}
	return infos, more, nil
}

// Deploy stores a module and makes info, whose Ref has the version, the
// current version of its function. Every node runs it from the next call on.
func (c *Catalog) Deploy(ctx context.Context, info mesh.FuncInfo, module []byte) error {
	if err := c.storeModule(ctx, info.Module, module); err != nil {
		return err
	}
	return c.change(ctx, info.Ref, putVersion(info), putCurrent(info.Ref.Version))
}

// Use makes an existing version the current one.
func (c *Catalog) Use(ctx context.Context, ref mesh.FuncRef) error {
	if ref.Version == "" {
		return mesh.Errorf(mesh.Invalid, "use "+ref.String(), "no version: expected name@version")
	}
	info, err := c.Function(ctx, ref)
	if err != nil {
		return err
	}
	return c.change(ctx, ref, putCurrent(info.Ref.Version))
}

// DeleteFunction removes a function with all its versions. Other functions
// and the DAGs that name it stay; calls of those fail with NotFound.
func (c *Catalog) DeleteFunction(ctx context.Context, ref mesh.FuncRef) error {
	if _, err := c.record(ctx, mesh.FuncRef{Namespace: ref.Namespace, Name: ref.Name}); err != nil {
		return err
	}
	if err := c.state.Delete(ctx, functionKey(ref)); err != nil {
		return err
	}
	return c.announce(ctx, ref.Namespace, ref.Name)
}

// Host says that node runs a native or worker function, and makes that the
// current version if there is none, or if takeOver is set.
func (c *Catalog) Host(ctx context.Context, info mesh.FuncInfo, node mesh.NodeID, takeOver bool) error {
	changes := []change{putVersion(info), addHost(info.Ref.Version, node)}
	record, err := c.record(ctx, mesh.FuncRef{Namespace: info.Ref.Namespace, Name: info.Ref.Name})
	switch {
	case errors.Is(err, mesh.NotFound):
		takeOver = true
	case err != nil:
		return err
	}
	if takeOver || record.versions[record.current].Kind == 0 {
		changes = append(changes, putCurrent(info.Ref.Version))
	}
	return c.changeBy(ctx, c.state.PutForNow, info.Ref, changes...)
}

// Unhost says that node no longer runs a native or worker function.
func (c *Catalog) Unhost(ctx context.Context, ref mesh.FuncRef, node mesh.NodeID) error {
	return c.changeBy(ctx, c.state.PutForNow, ref, removeHost(ref.Version, node))
}

// Retire removes node from the hosts of all functions but those that keep
// says it still runs: what a node that died left behind.
func (c *Catalog) Retire(ctx context.Context, node mesh.NodeID, keep func(mesh.FuncRef) bool) error {
	after := ""
	for {
		names, more, err := c.state.List(ctx, functionKind+"/", after, listPage)
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := c.retireFrom(ctx, n, node, keep); err != nil {
				return err
			}
			after = n
		}
		if !more {
			return nil
		}
	}
}

const listPage = 256

func (c *Catalog) retireFrom(ctx context.Context, path string, node mesh.NodeID, keep func(mesh.FuncRef) bool) error {
	namespace, called, _ := strings.Cut(strings.TrimPrefix(path, functionKind+"/"), "/")
	record, err := c.record(ctx, mesh.FuncRef{Namespace: namespace, Name: called})
	if errors.Is(err, mesh.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, info := range record.versions {
		if slices.Contains(info.Hosts, node) && !keep(info.Ref) {
			if err := c.Unhost(ctx, info.Ref, node); err != nil {
				return err
			}
		}
	}
	return nil
}

// change applies changes to a function's record, and announces them.
func (c *Catalog) change(ctx context.Context, ref mesh.FuncRef, changes ...change) error {
	return c.changeBy(ctx, c.state.Put, ref, changes...)
}

type put func(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error

func (c *Catalog) changeBy(ctx context.Context, put put, ref mesh.FuncRef, changes ...change) error {
	for _, change := range changes {
		if err := put(ctx, functionKey(ref), recordKind, change); err != nil {
			return err
		}
	}
	return c.announce(ctx, ref.Namespace, ref.Name)
}

func (c *Catalog) record(ctx context.Context, ref mesh.FuncRef) (*functionRecord, error) {
	return recall(c, c.functions, name{ref.Namespace, ref.Name}, func() (*functionRecord, error) {
		value, err := c.state.Get(ctx, functionKey(ref))
		if errors.Is(err, mesh.NotFound) {
			return nil, mesh.Errorf(mesh.NotFound, "function "+ref.String(), "no such function")
		}
		if err != nil {
			return nil, err
		}
		return readRecord(ref, value)
	})
}

// list gives the names of functions or DAGs of a namespace.
func (c *Catalog) list(ctx context.Context, kind, namespace, prefix, after string, limit int) ([]string, bool, error) {
	folder := kind + "/" + namespace + "/"
	if after != "" {
		after = folder + after
	}
	paths, more, err := c.state.List(ctx, folder+prefix, after, limit)
	for i := range paths {
		paths[i] = strings.TrimPrefix(paths[i], folder)
	}
	return paths, more, err
}

func functionKey(ref mesh.FuncRef) mesh.Key { return systemKey(functionKind, ref.Namespace, ref.Name) }

const functionKind = "function"
