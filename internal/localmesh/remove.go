package localmesh

import (
	"context"
	"os"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Remove takes a node that has drained out of the mesh of a home: it waits
// until its process has ended, deletes its folder with all that is in it, and
// takes its address out of the context. When the process still runs at the
// end of ctx nothing is removed.
func Remove(ctx context.Context, home string, n Node) error {
	unlock, err := lock(ctx, home)
	if err != nil {
		return err
	}
	defer unlock()
	if !n.Gone(ctx) {
		return mesh.Errorf(mesh.DeadlineExceeded, "remove node", "process %d of %s still runs", n.PID, n.Name)
	}
	if err := os.RemoveAll(n.dir); err != nil {
		return mesh.Errorf(mesh.Internal, "remove node", "%w", err)
	}
	saved, err := sdk.LoadContext(home)
	if err != nil {
		return err
	}
	saved.Addrs = slices.DeleteFunc(saved.Addrs, func(addr string) bool { return addr == n.Addr })
	return saved.Save(home)
}
