package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// benchMesh is a mesh that is measured: nodes as processes, and a client of
// the first one.
type benchMesh struct {
	home     string
	program  string   // with args: the command line of a node
	args     []string // before --config
	replicas int      // owners of a key
	client   *sdk.Client
	nodes    []localmesh.Node
	ids      []mesh.NodeID // of the nodes, in their order
}

const benchNodes = 3

// benchStartTimeout bounds the start of the mesh.
const benchStartTimeout = time.Minute

// startMesh starts the mesh of the suites that share one, and notes how long
// that took to the first call answered, and what its nodes then need of memory.
func (b *benchRun) startMesh(ctx context.Context) (_ *benchMesh, err error) {
	ctx, cancel := context.WithTimeout(ctx, benchStartTimeout)
	defer cancel()
	start := time.Now()
	m, err := b.openMesh(ctx, benchNodes)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if _, err := sdk.Func[int, int](m.client, nativeSquare).Call(ctx, 2); err != nil {
		return nil, err
	}
	b.startup = time.Since(start)
	b.idle, err = m.inspect(ctx)
	return m, err
}

// openMesh starts a mesh in a temporary folder. It must be stopped.
func (b *benchRun) openMesh(ctx context.Context, nodes int) (*benchMesh, error) {
	return b.openMeshOf(ctx, nodes, benchReplicas)
}

// openMeshOf is openMesh for keys of so many copies.
func (b *benchRun) openMeshOf(ctx context.Context, nodes, replicas int) (_ *benchMesh, err error) {
	m := &benchMesh{replicas: replicas}
	if m.program, m.args, err = benchDaemon(b.profiles); err != nil {
		return nil, err
	}
	m.args = append(m.args, "--replicas", strconv.Itoa(replicas))
	if m.home, err = os.MkdirTemp("", "virga-bench-"); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
		}
	}()
	if err := m.up(ctx, nodes); err != nil {
		return nil, err
	}
	m.client, err = m.dial(ctx, 0)
	return m, err
}

// up starts what does not run of so many nodes, and returns when all are
// ready and see one another. A node with much to take over needs a while: ctx
// bounds it.
func (m *benchMesh) up(ctx context.Context, nodes int) (err error) {
	m.nodes, err = localmesh.Up(ctx, localmesh.Options{Home: m.home, Nodes: nodes, Virgad: m.program, Args: m.args})
	return err
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
func (m *benchMesh) dial(ctx context.Context, node int) (*sdk.Client, error) {
	return sdk.Dial(ctx, sdk.Config{ContextDir: m.home, Addrs: []string{m.nodes[node].Addr}, Pinned: true})
}

// inspect notes the nodes' ids, and gives the most memory that one of them has in RAM.
func (m *benchMesh) inspect(ctx context.Context) (resident uint64, err error) {
	m.ids = nil
	for i := range m.nodes {
		client, err := m.dial(ctx, i)
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

// deploySquare deploys examples/square.
func (b *benchRun) deploySquare(ctx context.Context, client *sdk.Client) error {
	module, err := b.example(ctx, wasmSquare)
	if err != nil {
		return err
	}
	_, err = client.Deploy(ctx, wasmSquare, module, sdk.DeployOptions{})
	return err
}
