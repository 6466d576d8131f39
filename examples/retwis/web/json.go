package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/virga-mesh/virga/mesh"
)

// maxBody is the longest body of a request in bytes.
const maxBody = 64 << 10

// readBody reads a request's body as one JSON object without members that T
// does not have. What is wrong with it is answered here.
func readBody[T any](w http.ResponseWriter, r *http.Request) (body T, ok bool) {
	if format, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || format != "application/json" {
		showError(w, mesh.Errorf(mesh.Invalid, "", "the content type is %q: expected application/json", r.Header.Get("Content-Type")))
		return body, false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&body)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		showError(w, mesh.Errorf(mesh.Invalid, "", "the body: %w", err))
		return body, false
	}
	return body, true
}

func show(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // whoever asked is gone
}

// failure is what a request that fails is answered with.
type failure struct {
	Error struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

func showError(w http.ResponseWriter, err error) {
	e := mesh.AsError("", err)
	var f failure
	f.Error.Kind, f.Error.Message = e.Kind.String(), e.Text()
	show(w, statusOf(e.Kind), f)
}

// statusOf gives the status of HTTP that says about what a kind says.
func statusOf(kind mesh.ErrorKind) int {
	switch kind {
	case mesh.Invalid:
		return http.StatusBadRequest
	case mesh.Denied:
		return http.StatusForbidden
	case mesh.NotFound:
		return http.StatusNotFound
	case mesh.Conflict, mesh.KindMismatch:
		return http.StatusConflict
	case mesh.Overloaded, mesh.Unavailable:
		return http.StatusServiceUnavailable
	case mesh.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
