package node_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
)

// freeAddr is a TCP address on loopback that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// fetch gives the status and text of an admin page.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, 30*time.Second), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestTheAdminPagesTellLifeAndReadiness(t *testing.T) {
	addr := freeAddr(t)
	start(t, simmesh.Options{Nodes: 1, Configure: func(_ int, cfg *node.Config) { cfg.AdminAddr = addr }})
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/debug/pprof/cmdline": 200, "/": 404, "/nosuch": 404} {
		if status, text := fetch(t, "http://"+addr+path); status != want {
			t.Errorf("%s gave %d %q, want %d", path, status, text, want)
		}
	}
}

// startUnjoined runs a node until the test ends that looks for a mesh of which
// nobody answers.
func startUnjoined(t *testing.T, configure func(*node.Config)) *node.Node {
	t.Helper()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := alone(joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour), silent.LocalAddr().String()), vfs.NewMem())
	configure(&cfg)
	n, err := node.New(cfg)
	if err != nil {
		silent.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the node ended with %v", err)
		}
		silent.Close()
	})
	return n
}

func TestANodeThatHasNotJoinedLivesAndIsNotReady(t *testing.T) {
	addr := freeAddr(t)
	n := startUnjoined(t, func(cfg *node.Config) { cfg.AdminAddr = addr })
	until(t, 10*time.Second, "the admin pages are served", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	until(t, 10*time.Second, "the node looks for its mesh", func() bool {
		_, text := fetch(t, "http://"+addr+"/readyz")
		return !strings.Contains(text, "starting")
	})
	if status, text := fetch(t, "http://"+addr+"/livez"); status != 200 {
		t.Errorf("/livez gave %d %q", status, text)
	}
	if status, text := fetch(t, "http://"+addr+"/readyz"); status != 503 || !strings.Contains(text, "not joined") {
		t.Errorf("/readyz gave %d %q, want 503 and why", status, text)
	}
	status, err := sdk.Attach(n).Status(t.Context())
	if err != nil || status.Ready || !strings.Contains(status.NotReadyReason, "not joined") {
		t.Errorf("the status is %+v, %v", status, err)
	}
}

func TestAnAdminAddressInUseEndsTheNode(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	cfg := alone(joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour)), vfs.NewMem())
	cfg.AdminAddr = listener.Addr().String()
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(within(t, 30*time.Second)); err == nil || !strings.Contains(err.Error(), "admin address") {
		t.Errorf("the node ended with %v", err)
	}
}
