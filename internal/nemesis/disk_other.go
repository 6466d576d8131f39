//go:build !linux

package nemesis

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

func mountable(*arena) string { return "a small disk is made on Linux only" }

func smallDisk(context.Context, *arena, int) error {
	return mesh.Errorf(mesh.Invalid, "small disk", "%s", mountable(nil))
}

func unmount(string) error { return nil }

func fillDisk(ctx context.Context, a *arena, victim int) (string, error) {
	return "", smallDisk(ctx, a, victim)
}

func freeDisk(ctx context.Context, a *arena, victim int) error { return smallDisk(ctx, a, victim) }
