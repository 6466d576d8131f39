package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/node/gateway"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the handler over a mesh of one node.
type site struct {
	t       *testing.T
	handler http.Handler
	client  *sdk.Client
	counted atomic.Int64 // executions of "count"
}

func newSite(t *testing.T) *site {
	s := &site{t: t}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := simmesh.Start(ctx, simmesh.Options{Nodes: 1, Provide: func(int) []node.Option {
		return []node.Option{
			node.Handle("square", func(_ context.Context, n int) (int, error) { return n * n, nil }),
			node.Handle("same", func(_ context.Context, all fn.Variadic[any]) ([]any, error) { return append([]any{}, all...), nil }),
			node.Handle("bytes", func(_ context.Context, text string) ([]byte, error) { return []byte(text), nil }),
			node.Handle("text", func(context.Context, fn.None) (string, error) { return "a <text>", nil }),
			node.Handle("nothing", func(context.Context, fn.None) (fn.None, error) { return fn.None{}, nil }),
			node.Handle("tree", func(context.Context, fn.None) (map[string]any, error) {
				return map[string]any{"n": 1, "f": 1.0, "deep": []string{"x"}}, nil
			}),
			node.Handle("odd", func(context.Context, fn.None) (map[bool]int, error) { return map[bool]int{true: 1}, nil }),
			node.Handle("fail", func(context.Context, fn.None) (int, error) { return 0, mesh.Errorf(mesh.UserError, "", "no luck") }),
			node.Handle("count", func(context.Context, fn.None) (int64, error) { return s.counted.Add(1), nil }),
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	s.handler, s.client = gateway.Handler(m.Node(0)), sdk.Attach(m.Node(0))
	for _, stages := range [][]mesh.Stage{
		{stage("square"), stage("text")},
		{stage("square"), stage("text"), stage("bytes")},
	} {
		d := &mesh.DAG{Namespace: mesh.DefaultNamespace, Name: []string{"two", "three"}[len(stages)-2], Stages: stages}
		if err := s.client.CreateDAG(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func stage(function string) mesh.Stage {
	return mesh.Stage{Name: function, Func: mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: function}}
}

// ask sends a request, as from this machine, with a body of JSON unless it is empty.
func ask(t *testing.T, handler http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = "localhost:8080"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// wants fails the test unless a request succeeds with an answer.
func (s *site) wants(method, path, body, want string, header ...string) {
	s.t.Helper()
	w := ask(s.t, s.handler, method, path, body, header...)
	if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code/100 != 2 || got != want {
		s.t.Errorf("%s %s %.60s gave %d, %s: want %s", method, path, body, w.Code, w.Body, want)
	}
}

func TestCallsByHTTP(t *testing.T) {
	s := newSite(t)
	s.wants("PUT", "/v1/kv/side", `{"length": 3}`, `{"key":"side","replicas":1,"durability":"logged"}`)
	s.wants("PUT", "/v1/kv/side?namespace=other", `4`, `{"key":"side","replicas":1,"durability":"logged"}`)
	run := mesh.NewRunID().String()
	for _, c := range []struct{ path, body, want string }{
		{"call/square", "[12]", "144"},
		{"call/square?consistency=causal-session&timeout=10s&policy=random", "[12]", "144"},
		{"call/same", "", "[]"},
		{"call/same", "[]", "[]"},
		{"call/same", ` [1, 1.0, "a", null, true, [{}], 18446744073709551616] `, `[1,1.0,"a",null,true,[{}],18446744073709551616]`},
		{"call/same", `[{"$ref": "side"}, {"a": [{"$ref": "side", "$namespace": "other"}]}]`, `[{"length":3},{"a":[4]}]`},
		{"call/same", `[{"$literal": {"$ref": "side"}}]`, `[{"$ref":"side"}]`},
		{"call/same?literal=true", `[{"$ref": "side"}]`, `[{"$ref":"side"}]`},
		{"call/same?run=" + run, `["once"]`, `["once"]`},
		{"call/same", `[{"$future": "` + run + `"}]`, `[["once"]]`},
		{"call/text", "", `"a <text>"`},
		{"call/nothing", "", "null"},
		{"call/tree", "", `{"deep":["x"],"f":1.0,"n":1}`},
		{"dag/two", `{"square": [5]}`, `{"square":25,"text":"a <text>"}`},
		{"dag/two?consistency=repeatable", `{"square": [{"$ref": "side", "$namespace": "other"}]}`, `{"square":16,"text":"a <text>"}`},
		{"dag/three", `{"square": [5], "bytes": ["hi"]}`, `{"bytes":"aGk=","square":25,"text":"a <text>"}`},
	} {
		s.wants("POST", "/v1/"+c.path, c.body, c.want)
	}
	w := ask(t, s.handler, "POST", "/v1/call/bytes", `["<b>"]`)
	if w.Code != http.StatusOK || w.Body.String() != "<b>" || w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("bytes gave %d, %v, %q", w.Code, w.Header(), w.Body)
	}
}

func TestARequestThatNamesItsRunIsExecutedOnce(t *testing.T) {
	s := newSite(t)
	path := "/v1/call/count?run=" + mesh.NewRunID().String()
	for range 3 {
		s.wants("POST", path, "", "1")
	}
	s.wants("POST", "/v1/call/count", "", "2")
	if n := s.counted.Load(); n != 2 {
		t.Errorf("it was executed %d times", n)
	}
}

func TestStateByHTTP(t *testing.T) {
	s := newSite(t)
	for _, key := range []string{"greeting", "a/b", "a//b/../c/", "a%2Fb%20c", "100%25", "?", "%C3%A9"} {
		path := "/v1/kv/" + strings.ReplaceAll(key, "?", "%3F")
		w := ask(t, s.handler, "PUT", path, `"x"`)
		var put, got struct{ Key, Kind, Value string }
		if err := json.Unmarshal(w.Body.Bytes(), &put); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: put gave %d, %s", key, w.Code, w.Body)
		}
		w = ask(t, s.handler, "GET", path, "")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Key != put.Key || got.Kind != "lww" || got.Value != "x" {
			t.Errorf("%s: get gave %d, %s, %v", key, w.Code, w.Body, err)
		}
		if text, err := sdk.Get[string](t.Context(), s.client, put.Key); err != nil || text != "x" {
			t.Errorf("%s: the key %q holds %q, %v", key, put.Key, text, err)
		}
		if w = ask(t, s.handler, "DELETE", path, ""); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
			t.Errorf("%s: delete gave %d, %s", key, w.Code, w.Body)
		}
		if w = ask(t, s.handler, "GET", path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: get after the delete gave %d, %s", key, w.Code, w.Body)
		}
	}
	if w := ask(t, s.handler, "DELETE", "/v1/kv/never", ""); w.Code != http.StatusNoContent {
		t.Errorf("to delete a missing key gave %d, %s", w.Code, w.Body)
	}
	if _, err := s.client.Put(t.Context(), "tags", lattice.SetKind, lattice.AddOp(string(mesh.Value{Format: mesh.Text, Data: []byte("a")}.AppendBinary(nil)))); err != nil {
		t.Fatal(err)
	}
	if err := sdk.Counter(s.client, "hits").Inc(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	s.wants("GET", "/v1/kv/tags", "", `{"key":"tags","kind":"set","value":["a"]}`)
	s.wants("GET", "/v1/kv/hits", "", `{"key":"hits","kind":"pncounter","value":5}`)
	s.wants("PUT", "/v1/kv/photo", "\xff\x00<b>", `{"key":"photo","replicas":1,"durability":"logged"}`, "Content-Type", "application/octet-stream")
	s.wants("GET", "/v1/kv/photo", "", `{"key":"photo","kind":"lww","value":"/wA8Yj4="}`)
	s.wants("GET", "/v1/kv/photo", "", "\xff\x00<b>", "Accept", "application/octet-stream")
}

func TestBadRequests(t *testing.T) {
	s := newSite(t)
	if err := sdk.Counter(s.client, "hits").Inc(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		kind, want         string
	}{
		{"GET", "/", "", 404, "NotFound", "/v1/call/, /v1/dag/, /v1/kv/"},
		{"GET", "/v1/call/square", "", 405, "Invalid", "expected POST"},
		{"POST", "/v1/kv/k", "1", 405, "Invalid", "expected DELETE, GET, PUT"},
		{"POST", "/v1/call/nosuch", "[]", 404, "NotFound", "nosuch"},
		{"POST", "/v1/call/no%20such", "[]", 400, "Invalid", "expected 1 to 128"},
		{"POST", "/v1/call/", "[]", 400, "Invalid", "expected 1 to 128"},
		{"POST", "/v1/dag/nosuch", "{}", 404, "NotFound", "nosuch"},
		{"POST", "/v1/call/square", `["x"]`, 400, "Invalid", "expected int"},
		{"POST", "/v1/call/square", `[2`, 400, "Invalid", "expected JSON"},
		{"POST", "/v1/call/square", `2`, 400, "Invalid", "expected a JSON array"},
		{"POST", "/v1/call/square", `[2] [3]`, 400, "Invalid", "expected one value"},
		{"POST", "/v1/call/square", "[\"\xff\"]", 400, "Invalid", "UTF-8"},
		{"POST", "/v1/call/square", `[1, {"$ref": "k", "more": 1}]`, 400, "Invalid", "argument 2: member"},
		{"POST", "/v1/call/square", `[{"$ref": "nosuch"}]`, 404, "NotFound", "nosuch"},
		{"POST", "/v1/call/fail", "[]", 500, "UserError", "no luck"},
		{"POST", "/v1/call/odd", "[]", 500, "Internal", "no form in JSON"},
		{"POST", "/v1/dag/two", `[1]`, 400, "Invalid", "expected a JSON object"},
		{"POST", "/v1/dag/two", `null`, 400, "Invalid", "expected a JSON object"},
		{"POST", "/v1/dag/two", `{"square": 5}`, 400, "Invalid", "stage square is not a list"},
		{"POST", "/v1/dag/two", `{"nosuch": [5]}`, 400, "Invalid", "nosuch"},
		{"POST", "/v1/call/square?consistency=strong", "[2]", 400, "Invalid", "expected one of eventual, repeatable, causal-key, causal-cut, causal-session, transactional"},
		{"POST", "/v1/dag/two?consistency=strong", "{}", 400, "Invalid", "expected one of eventual, repeatable"},
		{"POST", "/v1/call/square?consistancy=repeatable", "[2]", 400, "Invalid", "expected one of consistency, "},
		{"POST", "/v1/call/square?consistency=repeatable&consistency=eventual", "[2]", 400, "Invalid", "expected one"},
		{"POST", "/v1/call/square?policy=best", "[2]", 400, "Invalid", "best"},
		{"POST", "/v1/call/square?timeout=5", "[2]", 400, "Invalid", "500ms"},
		{"POST", "/v1/call/square?timeout=0s", "[2]", 400, "Invalid", "positive"},
		{"POST", "/v1/call/square?timeout=25h", "[2]", 400, "Invalid", "up to 24h"},
		{"POST", "/v1/call/square?run=7", "[2]", 400, "Invalid", "hexadecimal"},
		{"POST", "/v1/call/square?literal=perhaps", "[2]", 400, "Invalid", "true or false"},
		{"POST", "/v1/call/square?namespace=A", "[2]", 400, "Invalid", "namespace"},
		{"POST", "/v1/call/square?a;b", "[2]", 400, "Invalid", "the query"},
		{"GET", "/v1/kv/k?consistency=repeatable", "", 400, "Invalid", "expected one of namespace, timeout"},
		{"GET", "/v1/kv/k", "1", 400, "Invalid", "expected none"},
		{"GET", "/v1/kv/", "", 400, "Invalid", "expected 1 to 1024"},
		{"GET", "/v1/kv/%FF", "", 400, "Invalid", "UTF-8"},
		{"GET", "/v1/kv/nosuch", "", 404, "NotFound", ""},
		{"PUT", "/v1/kv/k", "", 400, "Invalid", "expected JSON"},
		{"PUT", "/v1/kv/hits", "1", 409, "KindMismatch", "pncounter"},
	} {
		w := ask(t, s.handler, c.method, c.path, c.body)
		var told struct {
			Error struct{ Kind, Op, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != c.status || told.Error.Kind != c.kind || !strings.Contains(told.Error.Op+": "+told.Error.Message, c.want) {
			t.Errorf("%s %s %.50s gave %d, %s: want %d, %s with %q", c.method, c.path, c.body, w.Code, w.Body, c.status, c.kind, c.want)
		}
		if w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s gave %v", c.method, c.path, w.Header())
		}
	}
	if w := ask(t, s.handler, "GET", "/v1/kv/hits", "", "Accept", "application/octet-stream"); w.Code != http.StatusNotAcceptable {
		t.Errorf("bytes of a counter: %d, %s", w.Code, w.Body)
	}
	if w := ask(t, s.handler, "PATCH", "/v1/kv/hits", ""); w.Header().Get("Allow") != "DELETE, GET, PUT" {
		t.Errorf("what is allowed: %v", w.Header())
	}
}
