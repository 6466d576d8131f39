package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/virga-mesh/virga/internal/version"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
)

// run runs the node until ctx ends. It logs to stderr, and writes one line to
// stdout when the node is ready.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	log := slog.New(s.logHandler(stderr))
	s.node.Log = log
	if s.node.DataDir == "" {
		return mesh.Errorf(mesh.Invalid, "configuration", "data is not set: expected a folder for the node's state, from the file, VIRGA_DATA or --data")
	}
	n, err := node.New(s.node)
	if err != nil {
		return err
	}
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-n.Ready():
			fmt.Fprintf(stdout, "virgad %s: node %s is ready at %s\n", version.String(), n.ID(), strings.Join(n.Addrs(), " "))
		case <-n.Stopped():
		}
	}()
	err = n.Run(ctx)
	<-told
	if err == nil {
		log.Info("stopped")
	}
	return err
}

func (s settings) logHandler(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: s.logLevel}
	if s.logFormat == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}
