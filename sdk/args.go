package sdk

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Ref stands for the value of a key in the arguments of a call: as an
// argument of its own, or at any depth of its lists, maps and structs. The
// function gets the key's value, as fn.Plain gives it, read where and when it
// runs. A missing key fails the call with NotFound.
//
// A *Run or a *Future stands for its result in the same way: the call waits
// for it, and fails as it fails.
type Ref struct {
	Key mesh.Key
	Raw bool // see Raw
}

// Ref names a key of the client's namespace as an argument.
func (c *Client) Ref(name string) Ref { return Ref{Key: mesh.Key{Namespace: c.namespace, Name: name}} }

// Raw makes the function get the bytes that the key holds, as a []byte:
// nothing looks into them, and within a node nothing copies them.
func Raw(r Ref) Ref {
	r.Raw = true
	return r
}

// MarshalCBOR writes what only the arguments of a call may hold.
func (r Ref) MarshalCBOR() ([]byte, error) { return codec.MarshalReference(r.reference()) }

func (r Ref) reference() mesh.Reference { return mesh.Reference{Key: r.Key, Raw: r.Raw} }

// RunRef stands for the result of a run in the arguments of a call, as a *Run
// does, for who knows the run's id alone.
type RunRef struct {
	Run mesh.RunID
	Raw bool // hand the result over as the bytes that it is
}

// MarshalCBOR writes what only the arguments of a call may hold.
func (r RunRef) MarshalCBOR() ([]byte, error) {
	return codec.MarshalReference(mesh.Reference{Run: r.Run, Raw: r.Raw})
}

// MarshalCBOR writes what only the arguments of a call may hold.
func (r *Run) MarshalCBOR() ([]byte, error) {
	if r == nil {
		return nil, mesh.Errorf(mesh.Invalid, "encode", "a run that is nil: expected one that was started")
	}
	return codec.MarshalReference(r.reference())
}

func (r *Run) reference() mesh.Reference { return mesh.Reference{Run: r.id} }

// encodeArgs gives the arguments that in stands for, by the rules of fn.EncodeArgs.
func encodeArgs[In any](in In) ([]*pb.Arg, error) { return encodeList(fn.SplitArgs(in)) }

// encodeList gives one argument for each element.
func encodeList(list []any) ([]*pb.Arg, error) {
	args, references := make([]*pb.Arg, len(list)), 0
	for i, element := range list {
		arg, n, err := encodeArg(element)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
		if references += n; references > mesh.MaxReferences {
			return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: more than %d references to keys and runs in one call", i+1, mesh.MaxReferences)
		}
		args[i] = arg
	}
	return args, nil
}

// encodeArg gives one argument, and how many references it has.
func encodeArg(v any) (*pb.Arg, int, error) {
	template, holes, err := codec.Template(v)
	if err != nil {
		return nil, 0, err
	}
	if len(holes) == 1 && len(template.Data) == 1 {
		return wholeArg(holes[0].Reference), 1, nil
	}
	arg := &pb.Arg{Arg: &pb.Arg_Value{Value: wire.FromValue(template)}}
	for _, hole := range holes {
		arg.Holes = append(arg.Holes, wire.FromHole(hole))
	}
	return arg, len(holes), nil
}

// wholeArg is an argument that is a reference as a whole.
func wholeArg(r mesh.Reference) *pb.Arg {
	if r.Run != (mesh.RunID{}) {
		return &pb.Arg{Arg: &pb.Arg_Future{Future: r.Run[:]}, Raw: r.Raw}
	}
	return &pb.Arg{Arg: &pb.Arg_Ref{Ref: wire.FromKey(r.Key)}, Raw: r.Raw}
}
