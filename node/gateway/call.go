package gateway

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/jsonform"
)

// call runs a function, and answers with its result.
func (g *gateway) call(ctx context.Context, q request) (answer, error) {
	arguments, err := q.arguments()
	if err != nil {
		return answer{}, err
	}
	args, err := readList(arguments, q.body, "the body")
	if err != nil {
		return answer{}, err
	}
	function := sdk.Func[fn.Variadic[any], mesh.Value](g.client.In(q.namespace), q.name)
	if function.Options, err = q.callOptions(); err != nil {
		return answer{}, err
	}
	result, err := function.Call(ctx, args)
	if err != nil {
		return answer{}, err
	}
	return valueAnswer(result)
}

// callDAG runs a DAG, and answers with the results of its sinks, by sink.
func (g *gateway) callDAG(ctx context.Context, q request) (answer, error) {
	arguments, err := q.arguments()
	if err != nil {
		return answer{}, err
	}
	args, err := readStages(arguments, q.body)
	if err != nil {
		return answer{}, err
	}
	dag := g.client.In(q.namespace).DAG(q.name)
	if dag.Options, err = q.callOptions(); err != nil {
		return answer{}, err
	}
	results, err := dag.Call(ctx, args)
	if err != nil {
		return answer{}, err
	}
	bySink := make(map[string]json.RawMessage, len(results))
	for _, r := range results {
		if bySink[r.Stage], err = resultJSON(r.Value); err != nil {
			return answer{}, err
		}
	}
	return jsonAnswer(bySink)
}

// readList reads a JSON array of arguments. An empty text is one of none.
func readList(arguments jsonform.Arguments, text []byte, what string) ([]any, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	list, err := codec.FromJSON(text)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "request", "%s: %s", what, mesh.AsError("", err).Text())
	}
	values, err := codec.Elements(list)
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "request", "%s is not a list: expected a JSON array of arguments, such as [2, \"x\"]", what)
	}
	args := make([]any, len(values))
	for i, v := range values {
		if args[i], err = arguments.Resolve(v); err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "request", "%s, argument %d: %s", what, i+1, mesh.AsError("", err).Text())
		}
	}
	return args, nil
}

// readStages reads a JSON object of such arrays by stage.
func readStages(arguments jsonform.Arguments, text []byte) (sdk.Args, error) {
	args := sdk.Args{}
	if len(bytes.TrimSpace(text)) == 0 {
		return args, nil
	}
	var stages map[string]json.RawMessage
	if err := json.Unmarshal(text, &stages); err != nil || stages == nil {
		return nil, mesh.Errorf(mesh.Invalid, "request", "the body is not an object: expected a JSON object with an array of arguments for each stage, such as {\"incr\": [1]}; got %.40q", text)
	}
	for stage, list := range stages {
		var err error
		if args[stage], err = readList(arguments, list, "stage "+stage); err != nil {
			return nil, err
		}
	}
	return args, nil
}
