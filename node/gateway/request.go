package gateway

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// Bounds of a request.
const (
	MaxBody        = 16 << 20 // bytes of a body
	MaxRequests    = 256      // at once
	BodyTimeout    = time.Minute
	DefaultTimeout = sdk.DefaultTimeout // of what the mesh does
	MaxTimeout     = mesh.MaxFuncTime
)

// request is one as its route takes it.
type request struct {
	name      string
	query     url.Values
	namespace string
	timeout   time.Duration
	format    string // of the body
	body      []byte
	wantBytes bool // rather than JSON, where there are such
}

// read checks a request, and reads it whole.
func read(w http.ResponseWriter, r *http.Request, to route, name string) (q request, err error) {
	q.name, q.wantBytes = name, r.Header.Get("Accept") == formatBytes
	if q.query, err = readQuery(r, to.parameters); err != nil {
		return q, err
	}
	q.namespace, q.timeout = mesh.DefaultNamespace, DefaultTimeout
	if q.query.Has("namespace") {
		q.namespace = q.query.Get("namespace")
	}
	if err = mesh.ValidateNamespace(q.namespace); err != nil {
		return q, err
	}
	if q.query.Has("timeout") {
		text := q.query.Get("timeout")
		q.timeout, err = time.ParseDuration(text)
		if err != nil || q.timeout <= 0 || q.timeout > MaxTimeout {
			return q, mesh.Errorf(mesh.Invalid, "request", "timeout is %.100q: expected a positive duration such as 500ms or 10s, up to %v", text, MaxTimeout)
		}
	}
	if q.format, err = formatOf(r, to.formats); err != nil {
		return q, err
	}
	q.body, err = readBody(w, r)
	return q, err
}

// readQuery takes no parameter that the route does not have: one that is
// misspelt must not be left out silently.
func readQuery(r *http.Request, known []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "request", "the query: %w", err)
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, mesh.Errorf(mesh.Invalid, "request", "unknown parameter %.100q: expected one of %s", name, strings.Join(known, ", "))
		case len(values) > 1:
			return nil, mesh.Errorf(mesh.Invalid, "request", "%d values of %s: expected one", len(values), name)
		}
	}
	return query, nil
}

// formatOf gives the format of the body, which the route must take.
func formatOf(r *http.Request, taken []string) (string, error) {
	if len(taken) == 0 {
		if r.ContentLength != 0 {
			return "", mesh.Errorf(mesh.Invalid, "request", "it has a body: expected none with method %s", r.Method)
		}
		return "", nil
	}
	text := r.Header.Get("Content-Type")
	if text == "" {
		return formatJSON, nil
	}
	format, _, err := mime.ParseMediaType(text)
	if err != nil || !slices.Contains(taken, format) {
		return "", refusal{
			status: http.StatusUnsupportedMediaType,
			error:  mesh.Errorf(mesh.Invalid, "request", "the content type is %.100q: expected %s", text, strings.Join(taken, " or ")),
		}
	}
	return format, nil
}

// readBody reads the body, which must arrive within BodyTimeout. From then on
// the connection is only watched for its end.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := refusal{
		status: http.StatusRequestEntityTooLarge,
		error:  mesh.Errorf(mesh.Invalid, "request", "the body is too large: expected at most %d bytes", MaxBody),
	}
	if r.ContentLength > MaxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refusal{
			status: http.StatusRequestTimeout,
			error:  mesh.Errorf(mesh.DeadlineExceeded, "request", "the body took more than %v to arrive", BodyTimeout),
		}
	case err != nil:
		return nil, mesh.Errorf(mesh.Invalid, "request", "the body: %w", err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// callOptions are those of the run that the query asks for.
func (q request) callOptions() (sdk.CallOptions, error) {
	options := sdk.CallOptions{Policy: q.query.Get("policy")}
	var err error
	if options.Consistency, err = mesh.ParseConsistency(q.query.Get("consistency")); err != nil {
		return options, err
	}
	if q.query.Has("run") {
		options.RunID, err = mesh.ParseRunID(q.query.Get("run"))
	}
	return options, err
}

// arguments says what the arguments of a call may refer to.
func (q request) arguments() (jsonform.Arguments, error) {
	arguments := jsonform.Arguments{Namespace: q.namespace}
	if !q.query.Has("literal") {
		return arguments, nil
	}
	var err error
	if arguments.Literal, err = strconv.ParseBool(q.query.Get("literal")); err != nil {
		return arguments, mesh.Errorf(mesh.Invalid, "request", "literal is %.100q: expected true or false", q.query.Get("literal"))
	}
	return arguments, nil
}
