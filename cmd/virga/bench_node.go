package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk/fn"
)

// benchNodeCommand is a node of the mesh that is measured: virgad with native functions.
func benchNodeCommand(a *app) *cobra.Command {
	var config, profiles string
	var replicas int
	cmd := &cobra.Command{
		Use:     "bench-node",
		Short:   "Run a node for virga bench",
		Example: "  virga bench-node --config nodes/n1/virgad.yaml",
		Hidden:  true,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBenchNode(cmd.Context(), a, config, profiles, replicas)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "file with the node's configuration, as virga up writes it")
	cmd.Flags().IntVar(&replicas, "replicas", benchReplicas, "nodes that own a key")
	cmd.Flags().StringVar(&profiles, "profile", "", "folder to write profiles to")
	return cmd
}

func runBenchNode(ctx context.Context, a *app, path, profiles string, replicas int) (err error) {
	config, err := localmesh.ReadNodeConfig(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	n, err := node.New(node.Config{
		DataDir: filepath.Join(dir, config.Data), Listen: config.Listen, Bootstrap: config.Bootstrap, Token: config.Token,
		Replicas: replicas,
		Log:      slog.New(slog.NewTextHandler(a.stderr, nil)),
	}, benchNatives()...)
	if err != nil {
		return err
	}
	stopProfile, err := startProfile(profiles, filepath.Base(dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	return n.Run(ctx)
}

// The native functions of the nodes that are measured.
const (
	nativeEcho   = "native-echo"
	nativeIncr   = "native-incr"
	nativeSum    = "native-sum"
	nativeSquare = "native-square"
	nativeTotal  = "native-total"
)

func benchNatives() []node.Option {
	natives := []node.Option{
		node.Handle(nativeEcho, func(_ context.Context, in []byte) ([]byte, error) { return in, nil }),
		node.Handle(nativeIncr, func(_ context.Context, n int) (int, error) { return n + 1, nil }),
		node.Handle(nativeSum, func(_ context.Context, in fn.Args2[int, int]) (int, error) { return in.A + in.B, nil }),
		node.Handle(nativeSquare, func(_ context.Context, n int) (int, error) { return n * n, nil }),
		node.Handle(nativeTotal, total),
		node.Handle(nativeGather, gather),
		node.Handle(nativeGossip, gossip),
		node.Handle(nativeSumma, summa),
		node.Handle(nativeWeave, weave),
		node.Handle(nativeWitness, witness),
		node.Handle(nativePuts, puts),
	}
	for _, f := range tweets.Functions() {
		natives = append(natives, node.HandleRaw(benchFunc(f.Name), f.Raw, mesh.Limits{}))
	}
	return natives
}

// total adds what its parents give.
func total(_ context.Context, in fn.Variadic[int]) (sum int, err error) {
	for _, n := range in {
		sum += n
	}
	return sum, nil
}
