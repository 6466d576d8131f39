package localmesh

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

// Bounds and defaults of a local mesh.
const (
	DefaultNodes = 3
	MaxNodes     = 50
	// ReadyTimeout bounds Up where its context has no deadline.
	ReadyTimeout = time.Minute
	// StopTimeout is how long a node may take to stop before it is killed.
	StopTimeout = 10 * time.Second
)

// Options say which mesh to start.
type Options struct {
	// Home is the folder of the mesh. It is made if missing.
	Home string
	// Nodes is how many to run, up to MaxNodes. 0: as many as Home has, or
	// DefaultNodes. More than Home has are added to its mesh; fewer are Invalid.
	Nodes int
	// Settings replace those that the nodes had beside their own the last time.
	// Nil: as the last time. Nodes that run keep theirs until they are started again.
	Settings Settings
	// Virgad is the daemon's program file.
	Virgad string
	// Args go before --config on the daemon's command line, for a program
	// that is a daemon by a command of its own.
	Args []string
	// Front, if not nil, gives for the address at which a new node takes
	// connections the one that other nodes are told in its place: of what
	// stands between them. Clients are told the node's own.
	Front func(addr string) (string, error)
}

// Up starts the mesh of a home, which it creates if there is none, and
// returns its nodes when each is ready and sees all others. The context of
// the home is then saved, so that clients find the mesh. Data and ports are
// those of the last time. Of a mesh that runs in part, what is missing is
// started; one that runs whole is a Conflict. When it fails, what it started
// is stopped again.
func Up(ctx context.Context, o Options) ([]Node, error) {
	ctx, cancel := readyTimeout(ctx)
	defer cancel()
	home, unlock, err := o.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	nodes, err := Nodes(home)
	if err != nil {
		return nil, err
	}
	return o.up(ctx, home, nodes)
}

func readyTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, ReadyTimeout)
}

// enter locks the home, and gives its absolute path.
func (o Options) enter(ctx context.Context) (home string, unlock func(), err error) {
	if home, err = filepath.Abs(o.Home); err != nil {
		return "", nil, mesh.Errorf(mesh.Invalid, "up", "home %q: %w", o.Home, err)
	}
	unlock, err = lock(ctx, home)
	return home, unlock, err
}

// up is Up with the home locked, whose nodes are given.
func (o Options) up(ctx context.Context, home string, nodes []Node) (_ []Node, err error) {
	missing, err := o.missing(nodes)
	if err != nil {
		return nil, err
	}
	saved, nodes, err := o.prepare(home, nodes, missing)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			stopStarted(nodes)
		}
	}()
	for i := range nodes {
		if nodes[i].PID == 0 {
			if err := nodes[i].start(o.Virgad, o.Args...); err != nil {
				return nil, err
			}
		}
	}
	if err := awaitReady(ctx, saved, nodes); err != nil {
		return nil, err
	}
	return nodes, nil
}

// missing gives how many nodes must be made beside those that there are.
func (o Options) missing(nodes []Node) (int, error) {
	want := o.Nodes
	if want == 0 {
		want = len(nodes)
	}
	if want == 0 {
		want = DefaultNodes
	}
	switch {
	case want < 1 || want > MaxNodes:
		return 0, mesh.Errorf(mesh.Invalid, "up", "%d nodes: expected 1 to %d", want, MaxNodes)
	case want < len(nodes):
		return 0, mesh.Errorf(mesh.Invalid, "up", "%d nodes: the mesh in %s has %d, whose state lies on all of them; expected at least as many, or another home", want, o.Home, len(nodes))
	}
	stopped := slices.ContainsFunc(nodes, func(n Node) bool { return n.PID == 0 })
	if want == len(nodes) && !stopped {
		return 0, mesh.Errorf(mesh.Conflict, "up", "the mesh in %s runs already, with %d nodes; virga down stops it", o.Home, len(nodes))
	}
	return want - len(nodes), nil
}

// lifetime is that of a local mesh's tokens.
const lifetime = 10 * 365 * 24 * time.Hour

// prepare makes the missing nodes, with a root and a client's token if
// there are none yet, and saves the context.
func (o Options) prepare(home string, nodes []Node, missing int) (sdk.SavedContext, []Node, error) {
	root, err := loadRoot(home)
	if err != nil {
		return sdk.SavedContext{}, nil, err
	}
	settings, err := o.settle(home, nodes)
	if err != nil {
		return sdk.SavedContext{}, nil, err
	}
	fresh, err := freeAddrs(missing)
	if err != nil {
		return sdk.SavedContext{}, nil, err
	}
	for _, addr := range fresh {
		name := nextName(nodes)
		node := Node{Name: name, Addr: addr, told: addr, dir: nodeDir(home, name)}
		if o.Front != nil {
			if node.told, err = o.Front(addr); err != nil {
				return sdk.SavedContext{}, nil, err
			}
		}
		nodes = append(nodes, node)
	}
	token, err := newToken(root, admission.Node, addresses(nodes, func(n Node) string { return n.told }))
	if err != nil {
		return sdk.SavedContext{}, nil, err
	}
	for _, node := range nodes[len(nodes)-missing:] {
		if err := node.create(token.Text(), token.Bootstrap, settings); err != nil {
			return sdk.SavedContext{}, nil, err
		}
	}
	saved, err := saveContext(home, root, addresses(nodes, func(n Node) string { return n.Addr }))
	return saved, nodes, err
}

// nextName gives a new node the number after the highest: that of a node
// that was removed from among them stays free.
func nextName(nodes []Node) string {
	last := 0
	for _, n := range nodes {
		last = max(last, nodeNumber(n.Name))
	}
	return fmt.Sprintf("n%d", last+1)
}

func addresses(nodes []Node, of func(Node) string) []string {
	addrs := make([]string, 0, len(nodes))
	for _, n := range nodes {
		addrs = append(addrs, of(n))
	}
	return addrs
}

func newToken(root admission.Root, role admission.Role, addrs []string) (admission.Token, error) {
	grant := admission.Grant{Role: role, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(lifetime)}
	return root.NewToken(grant, addrs[:min(len(addrs), admission.MaxBootstrap)])
}

// loadRoot reads the root key of a home, or makes one: a new mesh.
func loadRoot(home string) (admission.Root, error) {
	path := filepath.Join(home, "root.pem")
	pem, err := os.ReadFile(path)
	if err == nil {
		return admission.ParseRoot(pem)
	}
	if !os.IsNotExist(err) {
		return admission.Root{}, mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	root := admission.NewRoot()
	if err = os.MkdirAll(home, 0o700); err == nil {
		err = os.WriteFile(path, root.Marshal(), 0o600)
	}
	if err != nil {
		return admission.Root{}, mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	return root, nil
}

// saveContext keeps the token of a context that there is, and renews its addresses.
func saveContext(home string, root admission.Root, addrs []string) (sdk.SavedContext, error) {
	saved, err := sdk.LoadContext(home)
	if err != nil || saved.Token.MeshID() != root.MeshID() {
		if saved.Token, err = newToken(root, admission.Client, addrs); err != nil {
			return sdk.SavedContext{}, err
		}
	}
	saved.Addrs = addrs
	return saved, saved.Save(home)
}

// stopStarted stops what this Up started.
func stopStarted(nodes []Node) {
	ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
	defer cancel()
	for _, n := range nodes {
		if n.started {
			_ = n.Stop(ctx) // the error that is told is why Up failed
		}
	}
}
