package meshtest

import (
	"context"
	"log/slog"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/node"
)

// Option changes the mesh that New and Simulate start.
type Option func(*options)

type options struct {
	nodes     []node.Option
	configure func(i int, cfg *node.Config)
	log       *slog.Logger
	seed      uint64
}

// Handle makes f a native function of every node, in the default namespace.
func Handle[In, Out any](name string, f func(context.Context, In) (Out, error)) Option {
	return Nodes(node.Handle(name, f))
}

// Nodes gives options of package node to every node.
func Nodes(given ...node.Option) Option {
	return func(o *options) { o.nodes = append(o.nodes, given...) }
}

// Configure lets configure change what the ith node runs with, before each of
// its starts. The fields that put the node into the test (DataDir, Token,
// Listen, FS, ListenPacket) are better left alone.
func Configure(configure func(i int, cfg *node.Config)) Option {
	return func(o *options) { o.configure = configure }
}

// Log sends what the nodes and clients say to log. By default nothing is kept.
func Log(log *slog.Logger) Option {
	return func(o *options) { o.log = log }
}

// Seed is what a simulated network draws its chances from. Default 1.
func Seed(seed uint64) Option {
	return func(o *options) { o.seed = seed }
}

func gather(given []Option) options {
	o := options{seed: 1}
	for _, option := range given {
		option(&o)
	}
	return o
}

// mesh gives the options as simmesh takes them. Nodes share what they compile.
func (o options) mesh(n int, moduleCache string) simmesh.Options {
	return simmesh.Options{
		Nodes:   n,
		Log:     o.log,
		Provide: func(int) []node.Option { return o.nodes },
		Configure: func(i int, cfg *node.Config) {
			cfg.ModuleCache = moduleCache
			if o.configure != nil {
				o.configure(i, cfg)
			}
		},
	}
}
