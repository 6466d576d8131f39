package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
)

type logsOptions struct {
	nodes  []string
	lines  int
	follow bool
}

func logsCommand(a *app) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:     "logs [NODE]...",
		Short:   "Show the logs of the mesh on this machine",
		Long:    "Show the last lines of the logs of the mesh on this machine: of all its nodes,\nor of those that are named n1, n2 and so on.",
		Example: "  virga logs\n  virga logs n1 --lines 100\n  virga logs --follow",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			return runLogs(cmd.Context(), a, o)
		},
	}
	cmd.Flags().IntVar(&o.lines, "lines", 20, "last lines of each log")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what is added, until interrupted")
	return cmd
}

func runLogs(ctx context.Context, a *app, o logsOptions) error {
	if o.lines < 0 {
		return usagef("--lines %d: expected at least 0", o.lines)
	}
	nodes, err := chooseNodes(a.home, o.nodes)
	if err != nil {
		return err
	}
	logs := make([]*tail, 0, len(nodes))
	for _, n := range nodes {
		log, err := openTail(n)
		if err != nil {
			return err
		}
		defer log.file.Close()
		logs = append(logs, log)
	}
	shown := logLines{Lines: []logLine{}}
	for _, log := range logs {
		lines, err := log.read()
		if err != nil {
			return err
		}
		shown.Lines = append(shown.Lines, lines[max(0, len(lines)-o.lines):]...)
	}
	if err := a.show(shown); err != nil || !o.follow {
		return err
	}
	return a.followLogs(ctx, logs)
}

// followLogs shows what is added until ctx ends, which is how the user ends it.
func (a *app) followLogs(ctx context.Context, logs []*tail) error {
	const interval = 200 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, log := range logs {
			lines, err := log.read()
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				continue
			}
			if err := a.show(logLines{lines}); err != nil {
				return err
			}
		}
	}
}

func chooseNodes(home string, names []string) ([]localmesh.Node, error) {
	all, err := localmesh.Nodes(home)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, mesh.Errorf(mesh.NotFound, "find node", "no mesh of this machine in %s; virga up starts one", home)
	}
	if len(names) == 0 {
		return all, nil
	}
	var chosen []localmesh.Node
	for _, name := range names {
		i := slices.IndexFunc(all, func(n localmesh.Node) bool { return n.Name == name })
		if i < 0 {
			return nil, mesh.Errorf(mesh.NotFound, "find node", "no node %q: expected one of %s", name, strings.Join(localNames(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func localNames(nodes []localmesh.Node) []string {
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

// tail reads the lines of a log as they come.
type tail struct {
	node   string
	file   *os.File
	reader *bufio.Reader
	begun  string // a line whose end is not written yet
}

func openTail(n localmesh.Node) (*tail, error) {
	file, err := os.Open(n.Log())
	if err != nil {
		return nil, mesh.Errorf(mesh.NotFound, "logs", "%w", err)
	}
	return &tail{node: n.Name, file: file, reader: bufio.NewReader(file)}, nil
}

// read gives the whole lines since the last time.
func (t *tail) read() ([]logLine, error) {
	var lines []logLine
	for {
		text, err := t.reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			t.begun += text
			return lines, nil
		}
		if err != nil {
			return nil, mesh.Errorf(mesh.Internal, "logs", "%w", err)
		}
		lines = append(lines, logLine{t.node, strings.TrimSuffix(t.begun+text, "\n")})
		t.begun = ""
	}
}

type logLines struct {
	Lines []logLine `json:"lines"`
}

type logLine struct {
	Node string `json:"node"`
	Line string `json:"line"`
}

func (l logLines) text(w io.Writer) {
	for _, line := range l.Lines {
		fmt.Fprintf(w, "%s %s\n", line.Node, line.Line)
	}
}
