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

// Module reads a module from the store, and checks that it is what the hash says.
func (c *Catalog) Module(ctx context.Context, hash string) ([]byte, error) {
	value, err := c.state.Get(ctx, moduleKey(hash))
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

func (c *Catalog) storeModule(ctx context.Context, hash string, module []byte) error {
	_, err := c.Module(ctx, hash)
	if err == nil || !errors.Is(err, mesh.NotFound) {
		return err
	}
	return c.state.Put(ctx, moduleKey(hash), lattice.LWWKind, lattice.SetOp(rawPayload(module)))
}

func moduleKey(hash string) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: "module/" + hash}
}
