package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/wasmbuild"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

type fnDeployOptions struct {
	name, path  string
	export      string
	memory      int64
	limit       time.Duration
	concurrency int
}

func fnDeployCommand(a *app) *cobra.Command {
	var o fnDeployOptions
	cmd := &cobra.Command{
		Use:   "deploy NAME PATH",
		Short: "Deploy a function",
		Long: `Deploy a function. PATH is a folder with a Go program, which is built to
WebAssembly by the Go tool, or a .wasm file: a module of the guest ABI, or a
plain WASI command that reads its arguments from stdin.

The function has the new version from the next call on; older ones stay, see
virga fn use.`,
		Example: `  virga fn deploy square ./examples/square
  virga fn deploy convert ./convert.wasm --memory-mib 64 --time 5s`,
		Args: exactly("NAME", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name, o.path = args[0], args[1]
			return runFnDeploy(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVar(&o.export, "export", "", "name under which the module exports the function (default: the function's, or the only one)")
	cmd.Flags().Int64Var(&o.memory, "memory-mib", 0, "memory of an invocation in MiB (default: the node's)")
	cmd.Flags().DurationVar(&o.limit, "time", 0, "time of an invocation (default: the node's)")
	cmd.Flags().IntVar(&o.concurrency, "concurrency", 0, "invocations at once on one node (default: the node's)")
	return cmd
}

func (o fnDeployOptions) limits() (mesh.Limits, error) {
	const maxMemory = 1 << 12 // 4 GiB in MiB, what WebAssembly can address
	switch {
	case o.memory < 0 || o.memory > maxMemory:
		return mesh.Limits{}, usagef("--memory-mib %d: expected up to %d", o.memory, maxMemory)
	case o.limit < 0 || o.limit > mesh.MaxFuncTime:
		return mesh.Limits{}, usagef("--time %v: expected up to %v", o.limit, mesh.MaxFuncTime)
	case o.concurrency < 0:
		return mesh.Limits{}, usagef("--concurrency %d: expected at least 0", o.concurrency)
	}
	return mesh.Limits{Memory: uint64(o.memory) << 20, Time: o.limit, Concurrency: o.concurrency}, nil
}

func runFnDeploy(ctx context.Context, a *app, o fnDeployOptions) error {
	limits, err := o.limits()
	if err != nil {
		return err
	}
	ref := mesh.FuncRef{Namespace: a.namespace, Name: o.name}
	if err := ref.Validate(); err != nil { // before a build that may take long
		return err
	}
	module, err := loadModule(ctx, o.path)
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		info, err := client.Deploy(ctx, o.name, module, sdk.DeployOptions{Export: o.export, Limits: limits})
		if err != nil {
			return err
		}
		return a.show(deployed{describeFunc(info)})
	})
}

// loadModule builds a folder, and reads a file as it is: the node checks what it is.
func loadModule(ctx context.Context, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "deploy", "%w: expected a folder with a Go program or a .wasm file", err)
	}
	if info.IsDir() {
		return wasmbuild.Build(ctx, path)
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "deploy", "%w", err)
	}
	return module, nil
}

type deployed struct{ funcDescription }

func (d deployed) text(w io.Writer) {
	fmt.Fprintf(w, "deployed %s, %s, %d bytes, version %s\n", d.Name, d.Kind, d.Size, shortVersion(d.Version))
}
