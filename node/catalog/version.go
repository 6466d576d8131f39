package catalog

import (
	"context"
	"maps"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// Version is one version of a function.
type Version struct {
	mesh.FuncInfo
	Deployed time.Time // the last time
}

// Versions are those of a function.
type Versions struct {
	All     []Version         // oldest first
	Current string            // the one that runs where none is named
	Aliases map[string]string // alias -> version
}

// Versions lists the versions of a function, and their aliases.
func (c *Catalog) Versions(ctx context.Context, ref mesh.FuncRef) (Versions, error) {
	record, err := c.record(ctx, ref)
	if err != nil {
		return Versions{}, err
	}
	v := Versions{Current: record.current, Aliases: maps.Clone(record.aliases)}
	for _, version := range record.order {
		v.All = append(v.All, Version{record.versions[version], record.deployed[version].Physical()})
	}
	return v, nil
}

// MaxAliases bounds the aliases of a function.
const MaxAliases = 100

// Alias makes a name for the version of ref, which that may name by another
// alias, instead of an earlier one of that name; for no version the alias is
// removed. Every node uses it from the next call on.
func (c *Catalog) Alias(ctx context.Context, ref mesh.FuncRef, alias string) error {
	record, err := c.record(ctx, mesh.FuncRef{Namespace: ref.Namespace, Name: ref.Name})
	if err != nil {
		return err
	}
	if ref.Version == "" {
		if record.aliases[alias] == "" {
			return mesh.Errorf(mesh.NotFound, "alias "+ref.Name+"@"+alias, "no such alias")
		}
		return c.change(ctx, ref, putAlias(alias, ""))
	}
	if err := mesh.ValidateAlias(alias); err != nil {
		return err
	}
	if _, taken := record.versions[alias]; taken {
		return mesh.Errorf(mesh.Invalid, "alias "+ref.Name+"@"+alias, "a version has this name: expected another")
	}
	info, err := record.find(ref)
	if err != nil {
		return err
	}
	if len(record.aliases) >= MaxAliases && record.aliases[alias] == "" {
		return mesh.Errorf(mesh.Invalid, "alias "+ref.Name+"@"+alias, "the function has %d aliases: expected at most %d", len(record.aliases), MaxAliases)
	}
	return c.change(ctx, ref, putAlias(alias, info.Ref.Version))
}

func putAlias(alias, version string) change {
	return lattice.PutOp(aliasPrefix+alias, lattice.LWWKind, lattice.SetOp(rawPayload([]byte(version))))
}
