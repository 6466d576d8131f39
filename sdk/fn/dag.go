package fn

import (
	"context"
	"maps"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// StageArgs are the arguments of a DAG by stage. A stage receives its own
// first, then the results of its parents in the order of the edges.
//
//	fn.StageArgs{"incr": {1}, "sum": {1, 2}}
type StageArgs map[string][]any

// StageArg is one argument of a DAG. Those of a stage follow one another.
type StageArg struct {
	Stage string
	Value mesh.Value
}

// CallDAG runs the DAG called name of this namespace, or namespace/name of
// another, and waits for its result: that of the sole stage without children,
// or an object of those of all by stage. When this invocation fails and is
// executed again, the same call is the same work: what its stages write counts
// once. While it waits, this invocation does not count against the limits of
// concurrency.
func CallDAG[Out any](ctx context.Context, name string, args StageArgs) (out Out, err error) {
	lib, dag, list, err := encodeDAG(ctx, "call dag "+name, name, args)
	if err != nil {
		return out, err
	}
	result, err := lib.CallDAG(ctx, dag, list)
	if err != nil {
		return out, err
	}
	if err := codec.Decode(result, &out); err != nil {
		return out, mesh.Errorf(mesh.Invalid, "call dag "+name, "result: %s", mesh.AsError("", err).Text())
	}
	return out, nil
}

// StartDAG starts a run of a DAG, named as CallDAG names it, as Start does one
// of a function: the same call of another execution is the same run.
func StartDAG[Out any](ctx context.Context, name string, args StageArgs) (Future[Out], error) {
	lib, dag, list, err := encodeDAG(ctx, "start dag "+name, name, args)
	if err != nil {
		return Future[Out]{}, err
	}
	id, err := lib.StartDAG(ctx, dag, list)
	return Future[Out]{id}, err
}

// encodeDAG gives the library, and the name and the arguments as it takes them.
func encodeDAG(ctx context.Context, op, name string, args StageArgs) (Library, mesh.FuncRef, []StageArg, error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return nil, mesh.FuncRef{}, nil, err
	}
	dag, err := ParseDAG(lib.Namespace(), name)
	if err != nil {
		return nil, dag, nil, err
	}
	var list []StageArg
	for _, stage := range slices.Sorted(maps.Keys(args)) {
		for i, arg := range args[stage] {
			v, err := codec.Encode(arg)
			if err != nil {
				e := *mesh.Errorf(mesh.Invalid, op, "argument %d: %s", i+1, mesh.AsError("", err).Text())
				e.Stage = stage
				return nil, dag, nil, &e
			}
			list = append(list, StageArg{stage, v})
		}
	}
	return lib, dag, list, nil
}

// ParseDAG reads the name of a DAG, as a function's without a version.
func ParseDAG(namespace, name string) (mesh.FuncRef, error) {
	ref, err := parseRef(namespace, name)
	if err == nil && ref.Version != "" {
		err = mesh.Errorf(mesh.Invalid, "dag "+name, "dags have no versions: expected a name alone")
	}
	return ref, err
}

// Pairs gives arguments of a DAG as a list: of each the stage's name, as text, and its value.
func Pairs(args []StageArg) []mesh.Value {
	list := make([]mesh.Value, 0, 2*len(args))
	for _, arg := range args {
		list = append(list, mesh.Value{Format: mesh.Text, Data: []byte(arg.Stage)}, arg.Value)
	}
	return list
}

// ParsePairs reads what Pairs gives.
func ParsePairs(list []mesh.Value) ([]StageArg, error) {
	if len(list)%2 != 0 {
		return nil, mesh.Errorf(mesh.Invalid, "arguments of a dag", "%d values: expected pairs of a stage's name and a value", len(list))
	}
	args := make([]StageArg, 0, len(list)/2)
	for i := 0; i < len(list); i += 2 {
		if list[i].Format != mesh.Text {
			return nil, mesh.Errorf(mesh.Invalid, "arguments of a dag", "value %d is %s: expected the name of a stage, as text", i+1, list[i].Format)
		}
		args = append(args, StageArg{string(list[i].Data), list[i+1]})
	}
	return args, nil
}
