package web

import (
	"context"
	_ "embed"
	"net/http"
	"strconv"
	"time"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// DefaultLevel is the consistency of requests that ask for none.
const DefaultLevel = mesh.CausalSession

//go:embed page.html
var page []byte

// Handler serves the page and its JSON, by calls of the mesh through client.
func Handler(client *sdk.Client) http.Handler {
	s := &site{client: client}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", showPage)
	mux.HandleFunc("GET /api/users", s.names)
	mux.HandleFunc("POST /api/users", s.signUp)
	mux.HandleFunc("GET /api/users/{name}", s.profile)
	mux.HandleFunc("POST /api/users/{name}/follows", s.follow)
	mux.HandleFunc("GET /api/users/{name}/timeline", s.timeline)
	mux.HandleFunc("POST /api/users/{name}/tweets", s.post)
	mux.HandleFunc("GET /api/violations", s.showViolations)
	return http.NewCrossOriginProtection().Handler(mux) // other sites' pages must not post
}

type site struct {
	client     *sdk.Client
	violations violations
}

func showPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
	_, _ = w.Write(page) // whoever asked is gone
}

func (s *site) names(w http.ResponseWriter, r *http.Request) {
	answer[fn.None, []string](s, w, r, tweets.NamesFunc, fn.None{})
}

func (s *site) signUp(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody[struct{ Name string }](w, r)
	if ok {
		answer[string, tweets.User](s, w, r, tweets.SignUpFunc, body.Name)
	}
}

func (s *site) profile(w http.ResponseWriter, r *http.Request) {
	answer[string, tweets.Profile](s, w, r, tweets.ProfileFunc, r.PathValue("name"))
}

func (s *site) follow(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody[struct {
		Others []string
		Stop   bool
	}](w, r)
	if ok {
		answer[tweets.FollowRequest, fn.None](s, w, r, tweets.FollowFunc, tweets.FollowRequest{User: r.PathValue("name"), Others: body.Others, Stop: body.Stop})
	}
}

func (s *site) timeline(w http.ResponseWriter, r *http.Request) {
	request := tweets.TimelineRequest{User: r.PathValue("name")}
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if request.N, err = strconv.Atoi(text); err != nil || request.N == 0 {
			showError(w, mesh.Errorf(mesh.Invalid, "", "n is %q: expected a number from 1 to %d", text, tweets.MaxCount))
			return
		}
	}
	timeline, level, ok := answer[tweets.TimelineRequest, tweets.Timeline](s, w, r, tweets.TimelineFunc, request)
	if ok {
		s.violations.add(level, timeline.Violations)
	}
}

func (s *site) post(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody[struct {
		Text    string
		ReplyTo string `json:"reply_to"`
	}](w, r)
	if ok {
		answer[tweets.PostRequest, tweets.Tweet](s, w, r, tweets.PostFunc, tweets.PostRequest{
			User: r.PathValue("name"), Text: body.Text, ReplyTo: body.ReplyTo, At: time.Now().UnixMicro(),
		})
	}
}

func (s *site) showViolations(w http.ResponseWriter, _ *http.Request) {
	show(w, http.StatusOK, s.violations.counts())
}

// told is what requests are answered with.
type told[Out any] struct {
	Result      Out    `json:"result"`
	Consistency string `json:"consistency"`
	TookUS      int64  `json:"took_us"` // of the call, in microseconds
}

// answer calls a function at the level that the request asks for, and tells
// what it gave.
func answer[In, Out any](s *site, w http.ResponseWriter, r *http.Request, function string, in In) (out Out, level mesh.Consistency, ok bool) {
	level, err := levelOf(r)
	if err != nil {
		showError(w, err)
		return out, level, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	f := sdk.Func[In, Out](s.client, function)
	f.Options.Consistency = level
	began := time.Now()
	if out, err = f.Call(ctx, in); err != nil {
		showError(w, err)
		return out, level, false
	}
	show(w, http.StatusOK, told[Out]{out, level.String(), time.Since(began).Microseconds()})
	return out, level, true
}

// callTimeout bounds what one request waits for the mesh.
const callTimeout = 10 * time.Second

func levelOf(r *http.Request) (mesh.Consistency, error) {
	if text := r.URL.Query().Get("consistency"); text != "" {
		return mesh.ParseConsistency(text)
	}
	return DefaultLevel, nil
}
