package gateway

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// Handler serves the routes, by requests to t.
func Handler(t sdk.Transport) http.Handler {
	return &gateway{sdk.Attach(t), make(chan struct{}, MaxRequests)}
}

type gateway struct {
	client *sdk.Client
	busy   chan struct{} // has an entry for each request that is being served
}

// route is what is done for one method at one prefix of paths.
type route struct {
	parameters []string // that the query may have
	formats    []string // that the body may be in, JSON where it does not say; none: no body
	serve      func(*gateway, context.Context, request) (answer, error)
}

// The formats of bodies.
const (
	formatJSON  = "application/json"
	formatBytes = "application/octet-stream"
)

var (
	ofCalls = []string{"consistency", "literal", "namespace", "policy", "run", "timeout"}
	ofKeys  = []string{"namespace", "timeout"}
)

// routes has, by what paths begin with, the routes by method. What follows in
// the path is a name, as it stands: it is not cleaned.
var routes = map[string]map[string]route{
	"/v1/call/": {http.MethodPost: {ofCalls, []string{formatJSON}, (*gateway).call}},
	"/v1/dag/":  {http.MethodPost: {ofCalls, []string{formatJSON}, (*gateway).callDAG}},
	"/v1/kv/": {
		http.MethodGet:    {ofKeys, nil, (*gateway).get},
		http.MethodPut:    {ofKeys, []string{formatJSON, formatBytes}, (*gateway).put},
		http.MethodDelete: {ofKeys, nil, (*gateway).delete},
	},
}

// ServeHTTP answers one request. Each wait has an end: reading the body,
// what the mesh does, and writing the answer.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(BodyTimeout)) // a recorder of a test has none
	a, err := g.serveIfRoom(w, r)
	if err != nil {
		a = failure(err)
	}
	a.write(w)
}

func (g *gateway) serveIfRoom(w http.ResponseWriter, r *http.Request) (answer, error) {
	select {
	case g.busy <- struct{}{}:
		defer func() { <-g.busy }()
		return g.serve(w, r)
	default:
		full := mesh.Errorf(mesh.Overloaded, "request", "%d requests are being served: expected less", MaxRequests)
		full.RetryAfter = time.Second
		return answer{}, full
	}
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) (answer, error) {
	if err := refuseOtherSites(r); err != nil {
		return answer{}, err
	}
	to, name, err := find(r)
	if err != nil {
		return answer{}, err
	}
	q, err := read(w, r, to, name)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), q.timeout)
	defer cancel()
	return to.serve(g, ctx, q)
}

// find gives the route of a request, and the name at the end of its path.
func find(r *http.Request) (to route, name string, err error) {
	for prefix, methods := range routes {
		name, ok := strings.CutPrefix(r.URL.Path, prefix)
		if !ok {
			continue
		}
		if to, ok := methods[r.Method]; ok {
			return to, name, nil
		}
		allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		return route{}, "", refusal{
			status: http.StatusMethodNotAllowed, allow: allowed,
			error: mesh.Errorf(mesh.Invalid, "request", "method %s: expected %s", r.Method, allowed),
		}
	}
	return route{}, "", mesh.Errorf(mesh.NotFound, "request", "nothing is at %.100q: expected a path that begins with one of %s", r.URL.Path, strings.Join(slices.Sorted(maps.Keys(routes)), ", "))
}

// refusal is an error that has a status of its own.
type refusal struct {
	error
	status int
	allow  string // the methods that are allowed, for one that is not
}

func (r refusal) Unwrap() error { return r.error }

// statusOf gives the status of HTTP that says about what an error says.
func statusOf(err error) int {
	var r refusal
	if errors.As(err, &r) {
		return r.status
	}
	return cmp.Or(statuses[mesh.KindOf(err)], http.StatusInternalServerError)
}

// statuses of the kinds of errors; for all else it is 500.
var statuses = map[mesh.ErrorKind]int{
	mesh.Invalid:          http.StatusBadRequest,
	mesh.Denied:           http.StatusForbidden,
	mesh.NotFound:         http.StatusNotFound,
	mesh.Conflict:         http.StatusConflict,
	mesh.KindMismatch:     http.StatusConflict,
	mesh.Cancelled:        http.StatusConflict,
	mesh.Overloaded:       http.StatusTooManyRequests,
	mesh.Unavailable:      http.StatusServiceUnavailable,
	mesh.DeadlineExceeded: http.StatusGatewayTimeout,
}

// retryAfter is what Retry-After says of an error, in seconds; 0: nothing.
func retryAfter(err error) int {
	return int((mesh.RetryAfter(err) + time.Second - 1) / time.Second)
}
