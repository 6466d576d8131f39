package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// benchMesh is the mesh that is measured: three nodes as processes, and a
// client of the first one.
type benchMesh struct {
	home   string
	client *sdk.Client
	ids    []mesh.NodeID // of the nodes; the client is connected to the first
}

const benchNodes = 3

// benchStartTimeout bounds the start of the mesh.
const benchStartTimeout = time.Minute

// startMesh starts the mesh, and notes how long that took to the first call
// answered, and what its nodes then need of memory.
func (b *benchRun) startMesh(ctx context.Context) (_ *benchMesh, err error) {
	ctx, cancel := context.WithTimeout(ctx, benchStartTimeout)
	defer cancel()
	program, args, err := benchDaemon(b.profiles)
	if err != nil {
		return nil, err
	}
	m := &benchMesh{}
	if m.home, err = os.MkdirTemp("", "virga-bench-"); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	start := time.Now()
	nodes, err := localmesh.Up(ctx, localmesh.Options{Home: m.home, Nodes: benchNodes, Virgad: program, Args: args})
	if err != nil {
		return nil, err
	}
	if m.client, err = m.dial(ctx, nodes[0]); err != nil {
		return nil, err
	}
	if _, err := sdk.Func[int, int](m.client, nativeSquare).Call(ctx, 2); err != nil {
		return nil, err
	}
	b.startup = time.Since(start)
	b.idle, err = m.inspect(ctx, nodes)
	return m, err
}

// benchDaemon is the command line of a node: this program, by a command of its own.
func benchDaemon(profiles string) (program string, args []string, err error) {
	if program, err = os.Executable(); err != nil {
		return "", nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	args = []string{"bench-node"}
	if profiles != "" {
		if profiles, err = filepath.Abs(profiles); err != nil {
			return "", nil, mesh.Errorf(mesh.Invalid, "bench", "%w", err)
		}
		args = append(args, "--profile", profiles)
	}
	return program, args, nil
}

// dial connects to just this node.
func (m *benchMesh) dial(ctx context.Context, n localmesh.Node) (*sdk.Client, error) {
	return sdk.Dial(ctx, sdk.Config{ContextDir: m.home, Addrs: []string{n.Addr}, Pinned: true})
}

// inspect notes the nodes' ids, and gives the most memory that one of them has in RAM.
func (m *benchMesh) inspect(ctx context.Context, nodes []localmesh.Node) (resident uint64, err error) {
	for _, n := range nodes {
		client, err := m.dial(ctx, n)
		if err != nil {
			return 0, err
		}
		status, err := client.Status(ctx)
		if err := errors.Join(err, client.Close()); err != nil {
			return 0, err
		}
		m.ids = append(m.ids, status.ID)
		resident = max(resident, status.ResidentBytes)
	}
	return resident, nil
}

// stop ends the processes, also when the run was interrupted, and removes their folder.
func (m *benchMesh) stop() error {
	if m.client != nil {
		m.client.Close() // always nil
	}
	if _, err := localmesh.Down(context.Background(), m.home); err != nil {
		return err // the folder stays: it tells what still runs
	}
	if err := os.RemoveAll(m.home); err != nil {
		return mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	return nil
}

const wasmSquare = "square"

// deploySquare deploys examples/square, which it builds once in a run.
func (b *benchRun) deploySquare(ctx context.Context, client *sdk.Client) error {
	if b.module == nil {
		clone, err := findClone(ctx)
		if err != nil {
			return mesh.Errorf(mesh.KindOf(err), "bench", "%s", mesh.AsError("", err).Text())
		}
		if b.module, err = wasmbuild.Build(ctx, filepath.Join(clone, "examples", "square")); err != nil {
			return err
		}
	}
	_, err := client.Deploy(ctx, wasmSquare, b.module, sdk.DeployOptions{})
	return err
}
