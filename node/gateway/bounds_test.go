package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/gateway"
)

// transport answers in place of a node.
type transport func(context.Context, wire.Message) (wire.Message, error)

func (f transport) Do(ctx context.Context, req wire.Message) (wire.Message, error) {
	return f(ctx, req)
}

// unasked is for requests that never get as far as the mesh.
func unasked(t *testing.T) http.Handler {
	return gateway.Handler(transport(func(_ context.Context, req wire.Message) (wire.Message, error) {
		t.Errorf("the mesh was asked for %v", req)
		return nil, mesh.Errorf(mesh.Internal, "", "unexpected")
	}))
}

func seven() *pb.CallReply {
	return &pb.CallReply{Results: []*pb.StageResult{{Stage: "s", Value: &pb.Value{Format: uint32(mesh.CBOR), Data: []byte{7}}}}}
}

func TestTheMeshIsAskedForTheLevel(t *testing.T) {
	var options *pb.CallOptions
	handler := gateway.Handler(transport(func(_ context.Context, req wire.Message) (wire.Message, error) {
		options = req.(interface{ GetOptions() *pb.CallOptions }).GetOptions()
		return seven(), nil
	}))
	for _, name := range []string{"eventual", "repeatable", "causal-key", "causal-cut", "causal-session", "transactional"} {
		level, err := mesh.ParseConsistency(name)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{"/v1/call/f": "7\n", "/v1/dag/d": "{\"s\":7}\n"} {
			w := ask(t, handler, "POST", path+"?policy=random&consistency="+name, "")
			if w.Body.String() != want || options.Consistency != uint32(level) || options.Policy != "random" {
				t.Errorf("%s at %s asked for %v, and gave %d, %s", path, name, options, w.Code, w.Body)
			}
		}
	}
}

func TestKindsOfErrorsHaveTheirStatus(t *testing.T) {
	for kind, want := range map[mesh.ErrorKind]int{
		mesh.Internal: 500, mesh.UserError: 500, mesh.NotFound: 404, mesh.KindMismatch: 409, mesh.Conflict: 409, mesh.Cancelled: 409,
		mesh.Denied: 403, mesh.Invalid: 400, mesh.Overloaded: 429, mesh.Unavailable: 503, mesh.DeadlineExceeded: 504,
	} {
		handler := gateway.Handler(transport(func(context.Context, wire.Message) (wire.Message, error) {
			return nil, &mesh.Error{Kind: kind, Op: "call f", Node: "node", Stage: "s", Msg: "why <so>", RetryAfter: 90 * time.Second / 4 * 3}
		}))
		w := ask(t, handler, "POST", "/v1/call/f?timeout=1s", "[]")
		text := `{"error":{"kind":"` + kind.String() + `","op":"call f","stage":"s","node":"` + mesh.NodeID("node").String() + `","message":"why <so>"}}` + "\n"
		if w.Code != want || w.Body.String() != text {
			t.Errorf("%v gave %d, %s: want %d, %s", kind, w.Code, w.Body, want, text)
		}
		if after := w.Header().Get("Retry-After"); (after == "68") != (kind == mesh.Overloaded) {
			t.Errorf("%v gave Retry-After %q", kind, after)
		}
	}
}

func TestMoreRequestsThanThereIsRoomForAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		handler := gateway.Handler(transport(func(context.Context, wire.Message) (wire.Message, error) {
			<-open
			return seven(), nil
		}))
		for range gateway.MaxRequests {
			go func() {
				if w := ask(t, handler, "POST", "/v1/call/f", "[]"); w.Code != http.StatusOK {
					t.Errorf("there was room, and it gave %d", w.Code)
				}
			}()
		}
		synctest.Wait()
		if w := ask(t, handler, "POST", "/v1/call/f", "[]"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
			t.Errorf("one more gave %d, %s", w.Code, w.Body)
		}
		close(open)
		synctest.Wait()
		if w := ask(t, handler, "POST", "/v1/call/f", "[]"); w.Code != http.StatusOK {
			t.Errorf("once there was room it gave %d", w.Code)
		}
	})
}

func TestPagesOfOtherSitesAreRefused(t *testing.T) {
	asked := 0
	handler := gateway.Handler(transport(func(context.Context, wire.Message) (wire.Message, error) {
		asked++
		return seven(), nil
	}))
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, 200},
		{[]string{"Host", "localhost"}, 200},
		{[]string{"Host", "LOCALHOST:80"}, 200},
		{[]string{"Host", "127.0.0.1:8080"}, 200},
		{[]string{"Host", "127.1.2.3"}, 200},
		{[]string{"Host", "[::1]:8080"}, 200},
		{[]string{"Host", "[::1]"}, 200},
		{[]string{"Host", ""}, 403},
		{[]string{"Host", "evil.example:8080"}, 403},
		{[]string{"Host", "localhost.evil.example"}, 403},
		{[]string{"Host", "127.0.0.1.evil.example:8080"}, 403},
		{[]string{"Host", "192.0.2.1:8080"}, 403},
		{[]string{"Host", "0.0.0.0:8080"}, 403},
		{[]string{"Origin", "http://localhost:8080"}, 200},
		{[]string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Origin", "https://localhost:8080"}, 403},
		{[]string{"Origin", "http://localhost:9090"}, 403},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", ""}, 403},
		{[]string{"Sec-Fetch-Site", "none"}, 200},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Content-Type", "application/json; charset=utf-8"}, 200},
		{[]string{"Content-Type", ""}, 200},
		{[]string{"Content-Type", "text/plain"}, 415},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{[]string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		{[]string{"Content-Type", "application/octet-stream"}, 415},
		{[]string{"Content-Type", "none at all;"}, 415},
	} {
		asked = 0
		w := ask(t, handler, "POST", "/v1/call/f", "[]", c.header...)
		if w.Code != c.status || (asked == 1) != (c.status == http.StatusOK) {
			t.Errorf("%q gave %d, %s: want %d", c.header, w.Code, w.Body, c.status)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if w := ask(t, unasked(t), method, "/v1/kv/k", "", "Host", "evil.example"); w.Code != http.StatusForbidden {
			t.Errorf("%s gave %d, %s", method, w.Code, w.Body)
		}
	}
}

func TestTheBodyIsBounded(t *testing.T) {
	reached := 0
	handler := gateway.Handler(transport(func(_ context.Context, req wire.Message) (wire.Message, error) {
		reached = len(req.(*pb.Put).Op)
		return &pb.PutReply{}, nil
	}))
	largest := strings.Repeat("x", gateway.MaxBody)
	if w := ask(t, handler, "PUT", "/v1/kv/k", largest, "Content-Type", "application/octet-stream"); w.Code != http.StatusOK || reached < len(largest) {
		t.Errorf("the largest gave %d, %s", w.Code, w.Body)
	}
	for name, length := range map[string]int64{"told": gateway.MaxBody + 1, "not told": -1} {
		r := httptest.NewRequestWithContext(t.Context(), "PUT", "/v1/kv/k", strings.NewReader(largest+"x"))
		r.Host, r.ContentLength = "localhost", length
		r.Header.Set("Content-Type", "application/octet-stream")
		w := httptest.NewRecorder()
		unasked(t).ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "expected at most 16777216 bytes") {
			t.Errorf("one that is too large, its length %s, gave %d, %s", name, w.Code, w.Body)
		}
	}
}

// talk gives a connection to a server of the handler, in a bubble.
func talk(t *testing.T, handler http.Handler) net.Conn {
	ours, theirs := net.Pipe()
	server := &http.Server{Handler: handler}
	conns := make(chan net.Conn, 1)
	conns <- theirs
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(pipes{conns})
	}()
	t.Cleanup(func() {
		ours.Close()
		close(conns)
		server.Close()
		<-ended
	})
	return ours
}

// pipes is a listener of connections that are there already.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// exchange sends what is given of a request, and gives the status of the answer and when it came.
func exchange(t *testing.T, conn net.Conn, text string) (status int, after time.Duration) {
	t.Helper()
	began := time.Now()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, time.Since(began)
}

func TestEveryWaitEnds(t *testing.T) {
	const call = "POST /v1/call/f%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
	for _, c := range []struct {
		name, query, body string
		takes             time.Duration // the mesh
		status            int
		after             time.Duration
	}{
		{"a body that does not arrive", "", "[", 0, 408, gateway.BodyTimeout},
		{"a mesh that does not answer", "", "[]", time.Hour, 504, gateway.DefaultTimeout},
		{"one that has less time", "?timeout=10ms", "[]", time.Hour, 504, 10 * time.Millisecond},
		{"one that has more time than bodies have", "?timeout=2h", "[]", time.Hour, 200, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handler := gateway.Handler(transport(func(ctx context.Context, _ wire.Message) (wire.Message, error) {
					select {
					case <-time.After(c.takes):
						return seven(), nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}))
				status, after := exchange(t, talk(t, handler), strings.Replace(call, "%s", c.query, 1)+c.body)
				if status != c.status || after != c.after {
					t.Errorf("it gave %d after %v: want %d after %v", status, after, c.status, c.after)
				}
			})
		})
	}
}
