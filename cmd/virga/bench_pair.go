package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// benchPair is a node in this process, which a second one joins: each then
// owns half of the keys, so that the first has both keys of its own and
// copies of others'.
type benchPair struct {
	client *sdk.Client // attached to the first node
	dir    string
	root   admission.Root
	first  *node.Node
	life   context.Context // of the nodes
	cancel context.CancelFunc
	ended  []chan error
	probe  func(context.Context) error // what the function inside runs
}

const nativeInside = "native-inside"

// startBenchPair starts the first node.
func startBenchPair(ctx context.Context) (_ *benchPair, err error) {
	p := &benchPair{root: admission.NewRoot()}
	if p.dir, err = os.MkdirTemp("", "virga-bench-"); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	p.life, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if p.first, err = p.start(ctx, nil); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.client = sdk.Attach(p.first)
	return p, nil
}

// join starts the second node, and waits until the first one sees it.
func (p *benchPair) join(ctx context.Context) error {
	if _, err := p.start(ctx, p.first.Addrs()); err != nil {
		return err
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for len(p.first.Peers()) < 2 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return mesh.AsError("bench", ctx.Err())
		}
	}
	return nil
}

// start runs one more node, and waits until it is ready.
func (p *benchPair) start(ctx context.Context, bootstrap []string) (*node.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, benchStartTimeout)
	defer cancel()
	token, err := p.root.NewToken(admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(time.Hour)}, bootstrap)
	if err != nil {
		return nil, err
	}
	inside := node.Handle(nativeInside, func(ctx context.Context, _ fn.None) (fn.None, error) { return fn.None{}, p.probe(ctx) })
	n, err := node.New(node.Config{
		DataDir: filepath.Join(p.dir, fmt.Sprint(len(p.ended))), Listen: []string{"127.0.0.1:0"}, Token: token.Text(),
		Replicas: 1, FuncTime: mesh.MaxFuncTime, Log: slog.New(slog.DiscardHandler),
	}, append(benchNatives(), inside)...)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	p.ended = append(p.ended, ended)
	go func() { ended <- n.Run(p.life) }()
	select {
	case <-n.Ready():
		return n, nil
	case <-n.Stopped():
		return nil, mesh.Errorf(mesh.Internal, "bench", "a node ended before it was ready")
	case <-ctx.Done():
		return nil, mesh.AsError("bench", ctx.Err())
	}
}

// inside runs f in an invocation of a native function on the first node.
func (p *benchPair) inside(ctx context.Context, f func(context.Context) error) error {
	p.probe = f
	_, err := sdk.Func[fn.None, fn.None](p.client, nativeInside).Call(ctx, fn.None{})
	return err
}

// stop ends the nodes, and removes their folder.
func (p *benchPair) stop() error {
	p.cancel()
	var errs []error
	for _, ended := range p.ended {
		errs = append(errs, <-ended)
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}
