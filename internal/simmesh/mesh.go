// Package simmesh runs whole meshes in one process, for tests: real nodes,
// with file systems in memory, on loopback sockets or on the simulated
// network of internal/sim, where they can be killed. Clients dial them with
// credentials of the mesh's own root.
package simmesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/sim"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
)

// Options say what a mesh is made of.
type Options struct {
	Nodes int
	// Network carries the packets. Nil: the sockets of this machine, on loopback.
	Network *sim.Network
	// Configure may change the configuration of the ith node before each start.
	Configure func(i int, cfg *node.Config)
	// Provide gives the options of the ith node, such as its native functions.
	Provide func(i int) []node.Option
	// Log receives what the nodes say. Nil: nothing is kept.
	Log *slog.Logger
}

// Mesh is a mesh of nodes in this process. Its methods are for one goroutine.
type Mesh struct {
	options Options
	root    admission.Root
	members []*member
	dialled int // clients so far
}

// member is one node's place in the mesh, whether the node runs or not.
type member struct {
	token  string
	listen string
	disk   *vfs.MemFS
	node   *node.Node
	stop   context.CancelFunc
	ended  chan error

	introduced bool // to all others, when it starts
}

// dataDir is the folder of a node on its disk.
const dataDir = "/data"

// port is where the nodes of a simulated network listen.
const port = 7000

// lifetime of the credentials of a mesh.
const lifetime = 30 * 24 * time.Hour

// Start starts a mesh, and returns when each node is ready and sees all others.
func Start(ctx context.Context, o Options) (*Mesh, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Mesh{options: o, root: admission.NewRoot()}
	for range o.Nodes {
		if _, err := m.Join(ctx); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, m.Settle(ctx)
}

// Join adds a node, waits until it is ready, and gives its number. The
// others see it when Settle says so.
func (m *Mesh) Join(ctx context.Context) (int, error) {
	return m.add(ctx, &member{introduced: true}, m.Running())
}

// JoinAt is Join for a node that is told of some nodes only, or of none:
// then it begins a mesh of its own, under the same root.
func (m *Mesh) JoinAt(ctx context.Context, nodes ...int) (int, error) {
	return m.add(ctx, &member{}, nodes)
}

// Introduce tells a node of all others when it is started next.
func (m *Mesh) Introduce(i int) { m.members[i].introduced = true }

func (m *Mesh) add(ctx context.Context, at *member, through []int) (int, error) {
	i := len(m.members)
	at.disk, at.listen = vfs.NewCrashableMem(), "127.0.0.1:0"
	if m.options.Network != nil {
		at.listen = netip.AddrPortFrom(sim.HostIP(i+1), port).String()
	}
	m.members = append(m.members, at)
	var bootstrap []string
	for _, running := range through {
		bootstrap = append(bootstrap, m.Node(running).Addrs()...)
	}
	token, err := m.Token(admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs}, bootstrap[:min(len(bootstrap), admission.MaxBootstrap)])
	if err != nil {
		return i, err
	}
	at.token = token.Text()
	return i, m.Restart(ctx, i)
}

// Token makes a join token, which is valid for as long as any test runs
// unless the grant says otherwise.
func (m *Mesh) Token(grant admission.Grant, bootstrap []string) (admission.Token, error) {
	if grant.NotAfter.IsZero() {
		grant.NotAfter = time.Now().Add(lifetime)
	}
	return m.root.NewToken(grant, bootstrap)
}

// Restart starts the ith node with what is on its disk, and waits until it is ready.
func (m *Mesh) Restart(ctx context.Context, i int) error {
	at := m.members[i]
	cfg := node.Config{
		DataDir: dataDir, FS: at.disk, Token: at.token, Listen: []string{at.listen},
		Log: m.options.Log.With("node", i),
		// Nothing is written but what a test writes, unless it says otherwise.
		StatsInterval: -1,
	}
	if m.options.Network != nil {
		cfg.ListenPacket = m.options.Network.ListenPacket(sim.HostIP(i + 1))
		if at.introduced {
			cfg.Bootstrap = m.others(i)
		}
	}
	if m.options.Configure != nil {
		m.options.Configure(i, &cfg)
	}
	var options []node.Option
	if m.options.Provide != nil {
		options = m.options.Provide(i)
	}
	var err error
	if at.node, err = node.New(cfg, options...); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	at.stop, at.ended = stop, make(chan error, 1)
	go func() { at.ended <- at.node.Run(running) }()
	select {
	case <-at.node.Ready():
		return nil
	case err := <-at.ended:
		at.ended <- err
		return fmt.Errorf("node %d ended before it was ready: %w", i, err)
	case <-ctx.Done():
		return fmt.Errorf("node %d is not ready: %w", i, ctx.Err())
	}
}

// others are where the other nodes of a simulated network listen, for one
// that remembers nobody.
func (m *Mesh) others(i int) (addrs []string) {
	for j, other := range m.members {
		if j != i {
			addrs = append(addrs, other.listen)
		}
	}
	return addrs
}

// Node is the ith node, as it was last started.
func (m *Mesh) Node(i int) *node.Node { return m.members[i].node }

// Len is how many nodes the mesh has had, those that do not run included.
func (m *Mesh) Len() int { return len(m.members) }

// Running lists the nodes that run.
func (m *Mesh) Running() (running []int) {
	for i, at := range m.members {
		if at.stop != nil {
			running = append(running, i)
		}
	}
	return running
}

// Stop ends the ith node in order, as a signal would. Its disk stays.
func (m *Mesh) Stop(i int) error {
	at := m.members[i]
	if at.stop == nil {
		return nil
	}
	at.stop()
	at.stop = nil
	return <-at.ended
}

// Close stops all nodes.
func (m *Mesh) Close() error {
	var errs []error
	for i := range m.members {
		errs = append(errs, m.Stop(i))
	}
	return errors.Join(errs...)
}
