package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// execute runs the program in process until it ends or ctx does.
func execute(ctx context.Context, stdout io.Writer, args ...string) error {
	root := command()
	root.SetArgs(args)
	root.SetOut(stdout)
	return root.ExecuteContext(ctx)
}

func TestANodeRunsUntilItIsStopped(t *testing.T) {
	grant := admission.Grant{Role: admission.Node, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(time.Hour)}
	token, err := admission.NewRoot().NewToken(grant, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "virgad.yaml")
	if err := os.WriteFile(config, []byte("data: data\nlisten: [127.0.0.1:0]\nlog_level: error\ntoken: "+token.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{"first start", "with what is on disk"} {
		ctx, cancel := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- execute(ctx, writer, "--config", config)
			writer.Close()
		}()
		line, err := bufio.NewReader(reader).ReadString('\n')
		if err != nil || !strings.Contains(line, "is ready at 127.0.0.1:") {
			t.Errorf("%s: printed %q, %v", start, line, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: ended with %v", start, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Errorf("the state does not lie beside the file: %v", err)
	}
}

func TestBadUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"start"}, `unexpected argument "start"`},
		{[]string{"--replicaz", "3"}, "--replicaz"},
		{[]string{"--replicas", "x"}, "flag --replicas"},
		{[]string{}, "data is not set"},
		{[]string{"--data", "/tmp/d", "--replicas", "99"}, "Replicas is 99"},
		{[]string{"--data", "/tmp/d", "--listen", "localhost"}, `"localhost"`},
		{[]string{"--data", "/tmp/d", "--admin", "0.0.0.0:80"}, "loopback"},
		{[]string{"--data", "/tmp/d", "--http", "0.0.0.0:80"}, "HTTPAddr"},
		{[]string{"version", "x"}, `unexpected argument "x"`},
	} {
		var out bytes.Buffer
		if err := execute(t.Context(), &out, c.args...); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("virgad %v: %v, want Invalid with %q", c.args, err, c.want)
		}
	}
}

func TestANodeWithoutTokenSaysSo(t *testing.T) {
	err := execute(t.Context(), io.Discard, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--log-level", "error")
	if err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("got %v, want an error that names the token", err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	var out bytes.Buffer
	if err := execute(t.Context(), &out, "--help"); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Examples:", "VIRGA_SYNC_INTERVAL", "--write-quorum", "Exit codes:"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the help does not have %q", part)
		}
	}
	out.Reset()
	if err := execute(t.Context(), &out, "version"); err != nil || !strings.HasPrefix(out.String(), "virgad ") {
		t.Errorf("version printed %q, %v", out.String(), err)
	}
}
