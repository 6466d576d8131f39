//go:build !linux

package nemesis

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
)

func firewallable(*arena) string { return "a firewall is made on Linux only" }

func wallIn(ctx context.Context, a *arena, victim int) (string, error) {
	return "", wallOut(ctx, a, victim)
}

func wallOut(context.Context, *arena, int) error {
	return mesh.Errorf(mesh.Invalid, "firewall", "%s", firewallable(nil))
}
