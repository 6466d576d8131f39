package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// arena is a mesh of processes with a proxy between them.
type arena struct {
	home   string
	virgad string
	proxy  *Proxy
	saved  sdk.SavedContext
	nodes  []localmesh.Node
	ids    []mesh.NodeID // of the nodes, in their order
	chance *rand.Rand
	disks  map[int]bool // nodes whose disk is small
}

// wholeTimeout is the longest that the mesh may take to be whole again.
const wholeTimeout = 2 * time.Minute

// open starts a mesh of so many nodes in a folder.
func open(ctx context.Context, home string, count int, chance *rand.Rand) (*arena, error) {
	a := &arena{home: home, proxy: &Proxy{}, chance: chance, disks: map[int]bool{}}
	err := a.start(ctx, count)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *arena) start(ctx context.Context, count int) (err error) {
	if a.virgad, err = localmesh.Virgad(ctx, a.home); err != nil {
		return err
	}
	if a.nodes, err = a.up(ctx, count); err != nil {
		return err
	}
	if a.saved, err = sdk.LoadContext(a.home); err != nil {
		return err
	}
	for i := range a.nodes {
		client, err := a.dial(ctx, i)
		if err != nil {
			return err
		}
		status, err := client.Status(ctx)
		if err := errors.Join(err, client.Close()); err != nil {
			return err
		}
		a.ids = append(a.ids, status.ID)
	}
	return nil
}

// up starts what does not run.
func (a *arena) up(ctx context.Context, count int) ([]localmesh.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	return localmesh.Up(ctx, localmesh.Options{Home: a.home, Nodes: count, Virgad: a.virgad, Front: a.proxy.Front})
}

// restart starts the nodes that do not run, and returns when all are ready.
func (a *arena) restart(ctx context.Context) (err error) {
	a.nodes, err = a.up(ctx, 0)
	return err
}

// close stops all processes. What they said and held stays in the folder.
func (a *arena) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), localmesh.StopTimeout)
	defer cancel()
	for _, node := range a.nodes {
		_ = node.Resume() // one that is paused cannot stop
	}
	_, err := localmesh.Down(ctx, a.home)
	a.proxy.Close()
	for i := range a.disks {
		err = errors.Join(err, unmount(a.nodes[i].Data()))
	}
	return err
}

// dial connects a client of its own identity to the nodes given, or to any.
func (a *arena) dial(ctx context.Context, nodes ...int) (*sdk.Client, error) {
	c := sdk.Config{Token: a.saved.Token.Text(), Pinned: true}
	if len(nodes) == 0 {
		c.Addrs = a.saved.Addrs
	}
	for _, i := range nodes {
		c.Addrs = append(c.Addrs, a.nodes[i].Addr)
	}
	return sdk.Dial(ctx, c)
}

// dialAll connects so many clients, each to any node.
func (a *arena) dialAll(ctx context.Context, count int) (clients []*sdk.Client, err error) {
	for range count {
		c, err := a.dial(ctx)
		if err != nil {
			closeAll(clients)
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func closeAll(clients []*sdk.Client) {
	for _, c := range clients {
		_ = c.Close() // what was asked for is answered
	}
}

// whole waits until each node is ready and sees all others.
func (a *arena) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	for i, node := range a.nodes {
		if err := a.wholeAt(ctx, i); err != nil {
			return mesh.Errorf(mesh.KindOf(err), "wait until "+node.Name+" is whole", "%w", err)
		}
	}
	return nil
}

func (a *arena) wholeAt(ctx context.Context, i int) error {
	client, err := a.dial(ctx, i)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		live := 1
		for _, peer := range status.Peers {
			if peer.Live {
				live++
			}
		}
		if status.Ready && live == len(a.nodes) {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return mesh.Errorf(mesh.DeadlineExceeded, "", "it sees %d of %d nodes, and says: %s", live, len(a.nodes), status.NotReadyReason)
		}
	}
}

// store is the folder of a node's state.
func (a *arena) store(i int) string { return filepath.Join(a.nodes[i].Data(), "store") }

// stop ends a node's process in order.
func (a *arena) stop(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, localmesh.StopTimeout)
	defer cancel()
	return a.nodes[i].Stop(ctx)
}
