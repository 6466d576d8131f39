package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// answer is what a request is answered with.
type answer struct {
	status int
	format string
	body   []byte
	header http.Header // beside those that all have
}

// answerTimeout bounds how long a client may take to take an answer.
const answerTimeout = time.Minute

func (a answer) write(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)) // a recorder of a test has none
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if a.format != "" {
		header.Set("Content-Type", a.format)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // whoever asked is gone
}

func jsonAnswer(v any) (answer, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return answer{status: http.StatusOK, format: formatJSON, body: body.Bytes()}, err
}

// valueAnswer gives bytes as they are, and all else as JSON.
func valueAnswer(v mesh.Value) (answer, error) {
	if v.Format == mesh.Raw {
		return answer{status: http.StatusOK, format: formatBytes, body: v.Data}, nil
	}
	text, err := resultJSON(v)
	return answer{status: http.StatusOK, format: formatJSON, body: append(text, '\n')}, err
}

// resultJSON gives a result as JSON. One that JSON cannot hold is not the
// fault of who asked.
func resultJSON(v mesh.Value) (json.RawMessage, error) {
	text, err := jsonform.Value(v)
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "result", "it has no form in JSON: %s", mesh.AsError("", err).Text())
	}
	return text, nil
}

// failure is the answer to a request that fails.
func failure(err error) answer {
	a, unwritten := jsonAnswer(map[string]*jsonform.Error{"error": jsonform.ErrorOf(err)})
	if unwritten != nil {
		a.body = []byte("{}\n")
	}
	a.status, a.header = statusOf(err), http.Header{}
	var r refusal
	if errors.As(err, &r) && r.allow != "" {
		a.header.Set("Allow", r.allow)
	}
	if after := retryAfter(err); after > 0 {
		a.header.Set("Retry-After", strconv.Itoa(after))
	}
	return a
}
