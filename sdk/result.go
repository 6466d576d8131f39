package sdk

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

// StageResult is the result of one sink.
type StageResult struct {
	Stage string
	Value mesh.Value
}

// Results are those of all sinks of a DAG, in the order of its declaration.
type Results []StageResult

// Result decodes what one sink gave. A stage that is no sink is NotFound.
func Result[Out any](results Results, stage string) (Out, error) {
	for _, r := range results {
		if r.Stage == stage {
			return decode[Out](r.Value)
		}
	}
	var none Out
	return none, mesh.Errorf(mesh.NotFound, "result", "no sink %q among %d results", stage, len(results))
}

// Only decodes the result of a DAG that has one sink. More are Invalid.
func Only[Out any](results Results) (Out, error) {
	if len(results) != 1 {
		var none Out
		return none, mesh.Errorf(mesh.Invalid, "result", "%d results: expected one; see Result", len(results))
	}
	return decode[Out](results[0].Value)
}

// Whole gives the results as one value: that of a sole sink as it is, those of
// several as an object by stage; no value where all sinks were skipped.
func (r Results) Whole() (mesh.Value, error) {
	switch len(r) {
	case 0:
		return mesh.Value{}, nil
	case 1:
		return r[0].Value, nil
	}
	members := make([]codec.Member, len(r))
	for i, result := range r {
		members[i] = codec.Member{Name: result.Stage, Value: result.Value}
	}
	return codec.Map(members)
}

func decode[T any](v mesh.Value) (T, error) {
	var out T
	if err := codec.Decode(v, &out); err != nil {
		var none T
		return none, mesh.AsError("decode result", err)
	}
	return out, nil
}

func toResults(replies []*pb.StageResult) (Results, error) {
	results := make(Results, 0, len(replies))
	for _, reply := range replies {
		v, err := wire.ToValue(reply.Value)
		if err != nil {
			return nil, err
		}
		results = append(results, StageResult{reply.Stage, v})
	}
	return results, nil
}
