package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/examples/retwis/web"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the handler over a mesh of one node.
type site struct {
	t       *testing.T
	handler http.Handler
	client  *sdk.Client
}

func newSite(t *testing.T) site {
	var options []node.Option
	for _, f := range tweets.Functions() {
		options = append(options, node.HandleRaw(mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: f.Name}, f.Raw, mesh.Limits{}))
	}
	client := meshtest.New(t, 1, meshtest.Nodes(options...)).Client(0)
	return site{t, web.Handler(client), client}
}

// ask sends a request, with a body of JSON unless it is empty.
func (s site) ask(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// wants reads the result of a request that must succeed at this level.
func wants[T any](s site, level, method, path, body string) T {
	s.t.Helper()
	w := s.ask(method, path, body)
	var told struct {
		Result      *T
		Consistency string
		TookUS      int64 `json:"took_us"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusOK || told.Result == nil || told.Consistency != level || told.TookUS <= 0 {
		s.t.Fatalf("%s %s gave %d, %s, %v", method, path, w.Code, w.Body, err)
	}
	return *told.Result
}

func TestTheFunctionsByHTTP(t *testing.T) {
	s := newSite(t)
	if names := wants[[]string](s, "causal-session", "GET", "/api/users", ""); len(names) != 0 {
		t.Errorf("at first there are %v", names)
	}
	wants[tweets.User](s, "causal-session", "POST", "/api/users", `{"name": "ada"}`)
	wants[tweets.User](s, "eventual", "POST", "/api/users?consistency=eventual", `{"name": "bob"}`)
	wants[struct{}](s, "causal-session", "POST", "/api/users/ada/follows", `{"others": ["bob"]}`)
	first := wants[tweets.Tweet](s, "causal-session", "POST", "/api/users/ada/tweets", `{"text": "hello"}`)
	wants[tweets.Tweet](s, "repeatable", "POST", "/api/users/bob/tweets?consistency=repeatable", `{"text": "hello yourself", "reply_to": "`+first.ID+`"}`)
	timeline := wants[tweets.Timeline](s, "eventual", "GET", "/api/users/ada/timeline?n=1&consistency=eventual", "")
	if len(timeline.Entries) != 1 || timeline.Entries[0].Original == nil || *timeline.Entries[0].Original != first {
		t.Errorf("the timeline is %+v", timeline)
	}
	if profile := wants[tweets.Profile](s, "causal-session", "GET", "/api/users/ada", ""); profile.Tweets != 1 || len(profile.Follows) != 1 {
		t.Errorf("the profile is %+v", profile)
	}
	wants[struct{}](s, "causal-session", "POST", "/api/users/ada/follows", `{"others": ["bob"], "stop": true}`)
	if profile := wants[tweets.Profile](s, "causal-session", "GET", "/api/users/ada", ""); len(profile.Follows) != 0 {
		t.Errorf("the profile is %+v", profile)
	}
}

func TestViolationsAreCountedByLevel(t *testing.T) {
	s := newSite(t)
	wants[tweets.User](s, "causal-session", "POST", "/api/users", `{"name": "ada"}`)
	first := wants[tweets.Tweet](s, "causal-session", "POST", "/api/users/ada/tweets", `{"text": "hello"}`)
	wants[tweets.Tweet](s, "causal-session", "POST", "/api/users/ada/tweets", `{"text": "hello?", "reply_to": "`+first.ID+`"}`)
	wants[tweets.Timeline](s, "causal-session", "GET", "/api/users/ada/timeline", "")
	if err := s.client.Delete(t.Context(), "retwis/tweet/"+first.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wants[tweets.Timeline](s, "eventual", "GET", "/api/users/ada/timeline?consistency=eventual", "")
	}
	if got := s.ask("GET", "/api/violations", ""); got.Code != http.StatusOK || strings.TrimSpace(got.Body.String()) != `{"causal-session":0,"eventual":2}` {
		t.Errorf("got %d, %s", got.Code, got.Body)
	}
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	got := newSite(t).ask("GET", "/", "")
	if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") || !strings.Contains(got.Body.String(), "Retwis") {
		t.Errorf("got %d, %v", got.Code, got.Header())
	}
	for _, outside := range []string{"http://", "https://", "src=", "href=", "@import", "innerHTML"} {
		if strings.Contains(got.Body.String(), outside) {
			t.Errorf("the page has %s", outside)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := newSite(t)
	wants[tweets.User](s, "causal-session", "POST", "/api/users", `{"name": "ada"}`)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nosuch", "", 404, "not found"},
		{"PUT", "/api/users", "", 405, "Not Allowed"},
		{"GET", "/api/users/zoe", "", 404, "no user zoe"},
		{"GET", "/api/users/zoe/timeline", "", 404, "no user zoe"},
		{"GET", "/api/users/ada/timeline?n=0", "", 400, "from 1 to 100"},
		{"GET", "/api/users/ada/timeline?n=x", "", 400, "from 1 to 100"},
		{"GET", "/api/users/ada/timeline?n=101", "", 400, "expected 1 to 100"},
		{"GET", "/api/users/ada/timeline?consistency=strong", "", 400, "causal-session"},
		{"POST", "/api/users", `{"name": "ada"}`, 409, "taken"},
		{"POST", "/api/users", `{"name": "no blanks"}`, 400, "of a-z"},
		{"POST", "/api/users", `{"nam": "bob"}`, 400, "unknown field"},
		{"POST", "/api/users", `{"name": "bob"} {}`, 400, "more than one"},
		{"POST", "/api/users", `{"name": `, 400, "the body"},
		{"POST", "/api/users", "", 400, "expected application/json"},
		{"POST", "/api/users", `{"name": "` + strings.Repeat("x", 65<<10) + `"}`, 400, "too large"},
		{"POST", "/api/users/ada/follows", `{"others": []}`, 400, "expected 1 to 100"},
		{"POST", "/api/users/ada/follows", `{"others": ["zoe"]}`, 404, "no user zoe"},
		{"POST", "/api/users/zoe/tweets", `{"text": "x"}`, 404, "no user zoe"},
		{"POST", "/api/users/ada/tweets", `{"text": ""}`, 400, "expected 1 to 280"},
		{"POST", "/api/users/ada/tweets", `{"text": 7}`, 400, "cannot unmarshal"},
		{"POST", "/api/users/ada/tweets", `{"text": "x", "reply_to": "y"}`, 400, "not the id of a tweet"},
		{"POST", "/api/users/ada/tweets", `{"text": "x", "reply_to": "00000000000000-000000000000"}`, 404, "to reply to"},
	} {
		got := s.ask(c.method, c.path, c.body)
		if got.Code != c.status || !strings.Contains(got.Body.String(), c.want) {
			t.Errorf("%s %s %.50s gave %d, %s: want %d with %q", c.method, c.path, c.body, got.Code, got.Body, c.status, c.want)
		}
	}
	if got := s.ask("POST", "/api/users", `{"name": "eve"}`, "Sec-Fetch-Site", "cross-site"); got.Code != http.StatusForbidden {
		t.Errorf("another site's page may post: %d, %s", got.Code, got.Body)
	}
}

func TestAMeshThatIsGoneIsUnavailable(t *testing.T) {
	m := meshtest.New(t, 1)
	client := m.Client(0)
	m.Stop(0)
	s := site{t, web.Handler(client), client}
	if got := s.ask("GET", "/api/users", ""); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "Unavailable") {
		t.Errorf("got %d, %s", got.Code, got.Body)
	}
}
