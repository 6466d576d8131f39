package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// readKey is what is told of a key.
type readKey struct {
	Key   string          `json:"key"`
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

// get reads a key of any kind.
func (g *gateway) get(ctx context.Context, q request) (answer, error) {
	v, err := g.client.In(q.namespace).Get(ctx, q.name)
	if err != nil {
		return answer{}, err
	}
	state, err := jsonform.StateOf(v)
	switch {
	case err != nil:
		return answer{}, mesh.Errorf(mesh.Internal, "get "+q.name, "the value has no form in JSON: %s", mesh.AsError("", err).Text())
	case q.wantBytes && state.Raw == nil:
		return answer{}, refusal{
			status: http.StatusNotAcceptable,
			error:  mesh.Errorf(mesh.Invalid, "get "+q.name, "the key holds no bytes: expected one that does, or Accept: %s", formatJSON),
		}
	case q.wantBytes:
		return answer{http.StatusOK, formatBytes, state.Raw, nil}, nil
	}
	return jsonAnswer(readKey{q.name, state.Kind, state.Value})
}

// written says what a write reached.
type written struct {
	Key        string `json:"key"`
	Replicas   int    `json:"replicas"`
	Durability string `json:"durability"`
}

// put writes a register.
func (g *gateway) put(ctx context.Context, q request) (answer, error) {
	v := mesh.Value{Format: mesh.Raw, Data: q.body}
	if q.format == formatJSON {
		var err error
		if v, err = codec.FromJSON(q.body); err != nil {
			return answer{}, mesh.Errorf(mesh.Invalid, "request", "the body: %s", mesh.AsError("", err).Text())
		}
	}
	ack, err := g.client.In(q.namespace).Put(ctx, q.name, lattice.LWWKind, lattice.SetOp(v.AppendBinary(nil)))
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(written{q.name, ack.Replicas, ack.Durability.String()})
}

// delete removes a key, missing or not.
func (g *gateway) delete(ctx context.Context, q request) (answer, error) {
	err := g.client.In(q.namespace).Delete(ctx, q.name)
	return answer{status: http.StatusNoContent}, err
}
