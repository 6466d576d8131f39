package node_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk/fn"
)

// ask sends a request with a JSON body, and gives the status and text of the answer.
func ask(t *testing.T, method, url, body string) (int, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, time.Minute), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// The DAG reads, has others write, once, and reads again: how many versions
// its run sees tells its level.
func TestARunIsAsConsistentAsItsRequestByHTTPAsks(t *testing.T) {
	addr := freeAddr(t)
	r := &reads{t: t}
	var changed atomic.Bool
	once := node.Handle("once", func(ctx context.Context, before []seenBy) ([]seenBy, error) {
		if changed.Swap(true) { // the run began anew
			return before, nil
		}
		return before, r.change(ctx, "another's")
	})
	r.m = start(t, simmesh.Options{Nodes: 3, Provide: natives(append(r.functions(), once)...), Configure: func(i int, cfg *node.Config) {
		if i == 0 {
			cfg.HTTPAddr = addr
		}
	}})
	create(t, at(r.m, 0), dag("d", "before=read others=once after=read", "before:others others:after"))
	for level, want := range map[string]int{
		"": 2, "eventual": 2, "causal-key": 2, "causal-cut": 2, "causal-session": 2, "repeatable": 1, "transactional": 1,
	} {
		if err := r.change(within(t, time.Minute), "old"); err != nil {
			t.Fatal(err)
		}
		changed.Store(false)
		status, text, err := ask(t, "POST", "http://"+addr+"/v1/dag/d?policy=round-robin&consistency="+level, `{"before": [[]]}`)
		var results map[string][]seenBy
		if err != nil || status != http.StatusOK || json.Unmarshal([]byte(text), &results) != nil || len(results["after"]) != 2 {
			t.Errorf("%q gave %d, %s, %v", level, status, text, err)
			continue
		}
		versions := map[seenBy]bool{}
		for _, seen := range results["after"] {
			versions[seen] = true
		}
		if len(versions) != want {
			t.Errorf("at %q the run saw %v: want %d versions", level, results, want)
		}
	}
}

// Callers are those whom nobody asked who they are: they have the rights of a client.
func TestTheMeshsOwnStateIsNotForHTTP(t *testing.T) {
	addr := freeAddr(t)
	m := start(t, simmesh.Options{Nodes: 1, Provide: arithmetic, Configure: func(_ int, cfg *node.Config) { cfg.HTTPAddr = addr }})
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/kv/pins?namespace=virga", ""},
		{"PUT", "/v1/kv/pins?namespace=virga", "1"},
		{"DELETE", "/v1/kv/pins?namespace=virga", ""},
		{"POST", "/v1/call/square?namespace=virga", "[2]"},
		{"POST", "/v1/call/square", `[{"$ref": "pins", "$namespace": "virga"}]`},
		{"POST", "/v1/call/square", `[[{"$ref": "pins", "$namespace": "virga"}]]`},
	} {
		if status, text, err := ask(t, c.method, "http://"+addr+c.path, c.body); err != nil || status != http.StatusForbidden || !strings.Contains(text, "by HTTP, with the rights of a client") {
			t.Errorf("%s %s gave %d, %s, %v", c.method, c.path, status, text, err)
		}
	}
	status, text, err := ask(t, "POST", "http://"+addr+"/v1/call/square", "[3]")
	if err != nil || status != http.StatusOK || text != "9" {
		t.Errorf("square gave %d, %s, %v", status, text, err)
	}
	if err := m.Stop(0); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the address is served after the node has stopped")
	}
}

func TestANodeThatStopsEndsWhatIsUnderWayByHTTP(t *testing.T) {
	addr := freeAddr(t)
	begun := make(chan struct{})
	m := start(t, simmesh.Options{
		Nodes:     1,
		Configure: func(_ int, cfg *node.Config) { cfg.HTTPAddr = addr },
		Provide: natives(node.Handle("hang", func(ctx context.Context, _ fn.None) (int, error) {
			close(begun)
			<-ctx.Done()
			return 0, ctx.Err()
		})),
	})
	ended := make(chan int, 1)
	go func() {
		status, _, _ := ask(t, "POST", "http://"+addr+"/v1/call/hang", "[]")
		ended <- status
	}()
	<-begun
	if err := m.Stop(0); err != nil {
		t.Error(err)
	}
	if status := <-ended; status == http.StatusOK {
		t.Error("a call that was ended succeeded")
	}
}

func TestANodeThatHasNotJoinedIsUnavailableByHTTP(t *testing.T) {
	addr := freeAddr(t)
	startUnjoined(t, func(cfg *node.Config) { cfg.HTTPAddr = addr })
	var status int
	var text string
	until(t, 10*time.Second, "HTTP is served", func() bool {
		var err error
		status, text, err = ask(t, "GET", "http://"+addr+"/v1/kv/k", "")
		return err == nil
	})
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "not ready") {
		t.Errorf("it gave %d, %s", status, text)
	}
}

func TestAnAddressForHTTPInUseEndsTheNode(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	cfg := alone(joinToken(t, admission.NewRoot(), admission.Node, time.Now().Add(time.Hour)), vfs.NewMem())
	cfg.AdminAddr, cfg.HTTPAddr = freeAddr(t), listener.Addr().String()
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(within(t, 30*time.Second)); err == nil || !strings.Contains(err.Error(), "HTTP address") {
		t.Errorf("the node ended with %v", err)
	}
}
