package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// ModuleHash names a module by its content.
func ModuleHash(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}

// Module reads a module from the store, and checks that it is what the hash
// says. Any copy is as good as all: a module never changes.
func (c *Catalog) Module(ctx context.Context, hash string) ([]byte, error) {
	return readModule(ctx, c.state.Find, hash)
}

func readModule(ctx context.Context, read func(context.Context, mesh.Key) (lattice.Value, error), hash string) ([]byte, error) {
	value, err := read(ctx, moduleKey(hash))
	if err != nil {
		return nil, err
	}
	module, err := readPayload(value)
	if err != nil {
		return nil, err
	}
	if got := ModuleHash(module); got != hash {
		return nil, mesh.Errorf(mesh.Internal, "module "+hash, "the store holds other bytes, with hash %s", got)
	}
	return module, nil
}

// storeModule writes a module unless so many owners have it that every read
// of enough of them finds it: a single copy may be of a write that failed.
func (c *Catalog) storeModule(ctx context.Context, hash string, module []byte) error {
	_, err := readModule(ctx, c.state.Get, hash)
	if err == nil || !errors.Is(err, mesh.NotFound) {
		return err
	}
	return c.state.Put(ctx, moduleKey(hash), lattice.LWWKind, lattice.SetOp(rawPayload(module)))
}

func moduleKey(hash string) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: "module/" + hash}
}
