package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/link"
)

// benchEchoCommand is the other side of the floor, in a process of its own.
func benchEchoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "bench-echo",
		Short:   "Echo for virga bench, until standard input ends",
		Example: "  virga bench-echo < /dev/null",
		Hidden:  true,
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runBenchEcho(cmd.Context(), a) },
	}
}

// echoAddrs is what the echoing process tells the one that measures.
type echoAddrs struct {
	QUIC string `json:"quic"`
	UDP  string `json:"udp"`
}

func runBenchEcho(ctx context.Context, a *app) error {
	server, err := bench.ListenEcho(link.Limits{}.QUIC())
	if err != nil {
		return mesh.Errorf(mesh.Unavailable, "echo", "%w", err)
	}
	if err := json.NewEncoder(a.stdout).Encode(echoAddrs{server.QUICAddr(), server.UDPAddr()}); err != nil {
		return errors.Join(err, server.Close())
	}
	ended := make(chan struct{})
	go func() { // ends with standard input or this process, whose last act this is
		defer close(ended)
		_, _ = io.Copy(io.Discard, a.stdin)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return server.Close()
}

// benchEcho is the process that echoes.
type benchEcho struct {
	echoAddrs
	process *exec.Cmd
	stdin   io.Closer
}

func startBenchEcho(ctx context.Context) (*benchEcho, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	e := &benchEcho{process: exec.CommandContext(ctx, self, "bench-echo")}
	e.process.Stderr = os.Stderr
	stdin, err := e.process.StdinPipe()
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	e.stdin = stdin
	stdout, err := e.process.StdoutPipe()
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "%w", err)
	}
	if err := e.process.Start(); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "bench", "start the echo: %w", err)
	}
	if err := json.NewDecoder(stdout).Decode(&e.echoAddrs); err != nil {
		return nil, errors.Join(mesh.Errorf(mesh.Internal, "bench", "the echo did not tell its addresses: %w", err), e.stop())
	}
	return e, nil
}

// stop ends the process. That the context of the run, or Ctrl-C, may have
// ended it before is no error.
func (e *benchEcho) stop() error {
	e.stdin.Close()
	var exit *exec.ExitError
	if err := e.process.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
		return mesh.Errorf(mesh.Internal, "bench", "stop the echo: %w", err)
	}
	return nil
}
