package sdk

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Ref is an argument that names a key: the function gets the key's value,
// read where it runs. A missing key fails the call with NotFound.
type Ref struct{ Key mesh.Key }

// Ref names a key of the client's namespace as an argument.
func (c *Client) Ref(name string) Ref { return Ref{mesh.Key{Namespace: c.namespace, Name: name}} }

// encodeArgs gives the arguments that in stands for, by the rules of fn.EncodeArgs.
func encodeArgs[In any](in In) ([]*pb.Arg, error) {
	switch in := any(in).(type) {
	case Ref:
		return []*pb.Arg{refArg(in)}, nil
	case fn.Variadic[any]:
		return encodeList(in)
	}
	values, err := fn.EncodeArgs(in)
	if err != nil {
		return nil, err
	}
	args := make([]*pb.Arg, len(values))
	for i, v := range values {
		args[i] = valueArg(v)
	}
	return args, nil
}

// encodeList gives one argument for each element.
func encodeList(list []any) ([]*pb.Arg, error) {
	args := make([]*pb.Arg, len(list))
	for i, element := range list {
		if ref, ok := element.(Ref); ok {
			args[i] = refArg(ref)
			continue
		}
		v, err := codec.Encode(element)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
		args[i] = valueArg(v)
	}
	return args, nil
}

func refArg(r Ref) *pb.Arg { return &pb.Arg{Arg: &pb.Arg_Ref{Ref: wire.FromKey(r.Key)}} }

func valueArg(v mesh.Value) *pb.Arg { return &pb.Arg{Arg: &pb.Arg_Value{Value: wire.FromValue(v)}} }
