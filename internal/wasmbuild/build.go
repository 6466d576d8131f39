// Package wasmbuild turns a Go main package into a WebAssembly module that a
// node runs, by the user's own Go tool. A package that uses sdk/fn becomes a
// module of the guest ABI, any other a plain WASI command. It deploys
// nothing.
package wasmbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// MinGo is the oldest Go that can build modules of the guest ABI.
const MinGo = "go1.24"

const guestPackage = "github.com/virga-mesh/virga/sdk/fn"

// Build compiles the main package in the folder dir for wasip1. The same
// sources and Go version give the same bytes on every machine. What is wrong
// with the package or the Go tool is an Invalid error, with the end of the
// tool's output.
func Build(ctx context.Context, dir string) ([]byte, error) {
	if err := checkTool(ctx, dir); err != nil {
		return nil, err
	}
	mode, err := buildMode(ctx, dir)
	if err != nil {
		return nil, err
	}
	out, err := os.MkdirTemp("", "virga-build-")
	if err != nil {
		return nil, mesh.AsError("build "+dir, err)
	}
	defer os.RemoveAll(out)
	module := filepath.Join(out, "module.wasm")
	if _, err := run(ctx, dir, "build", "-trimpath", "-buildvcs=false", "-buildmode="+mode, "-ldflags=-s -w", "-o", module, "."); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(module)
	if err != nil {
		return nil, mesh.AsError("build "+dir, err)
	}
	return wasm, nil
}

func checkTool(ctx context.Context, dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return invalid(dir, "expected a folder with a Go main package")
	}
	out, err := run(ctx, dir, "env", "GOVERSION")
	if err != nil {
		return err
	}
	if have := strings.TrimSpace(out); version.IsValid(have) && version.Compare(have, MinGo) < 0 {
		return invalid(dir, "the Go tool is %s: expected %s or later", have, MinGo)
	}
	return nil
}

// buildMode also checks that the package is a program.
func buildMode(ctx context.Context, dir string) (string, error) {
	out, err := run(ctx, dir, "list", "-f", `{{.Name}} {{join .Deps " "}}`, ".")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(out)
	if len(fields) == 0 || fields[0] != "main" {
		return "", invalid(dir, "package %s: expected package main", strings.Join(fields[:min(1, len(fields))], ""))
	}
	if slices.Contains(fields[1:], guestPackage) {
		return "c-shared", nil
	}
	return "exe", nil
}

// run gives what the Go tool writes to its standard output.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", mesh.AsError("build "+dir, ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return "", invalid(dir, "the Go tool is not on PATH: expected %s or later, to build the package", MinGo)
	case errors.As(err, &exit):
		return "", invalid(dir, "go %s failed:\n%s", args[0], tail(stderr.Bytes()))
	}
	return "", mesh.AsError("build "+dir, fmt.Errorf("go %s: %w", args[0], err))
}

// tail keeps the end of what a tool wrote short enough to be read.
func tail(output []byte) string {
	const most = 4 << 10
	output = bytes.TrimSpace(output)
	if len(output) > most {
		output = append([]byte("..."), output[len(output)-most:]...)
	}
	return string(output)
}

func invalid(dir, format string, args ...any) error {
	return mesh.Errorf(mesh.Invalid, "build "+dir, format, args...)
}
