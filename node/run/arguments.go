package run

import (
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// An argument that is "no value", such as the result of a function that
// returns nothing, is a message with nothing set.
func argMessages(args []Arg) []*pb.Arg {
	messages := make([]*pb.Arg, len(args))
	for i := range args {
		messages[i] = argMessage(&args[i])
	}
	return messages
}

func argMessage(a *Arg) *pb.Arg {
	switch {
	case a.Ref.Run != (mesh.RunID{}):
		return &pb.Arg{Arg: &pb.Arg_Future{Future: a.Ref.Run[:]}, Raw: a.Ref.Raw}
	case !a.Ref.IsZero():
		return &pb.Arg{Arg: &pb.Arg_Ref{Ref: wire.FromKey(a.Ref.Key)}, Raw: a.Ref.Raw}
	case a.Value.IsZero():
		return &pb.Arg{}
	}
	m := &pb.Arg{Arg: &pb.Arg_Value{Value: wire.FromValue(a.Value)}}
	for _, hole := range a.Holes {
		m.Holes = append(m.Holes, wire.FromHole(hole))
	}
	return m
}

func parseArgs(messages []*pb.Arg) ([]Arg, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	args := make([]Arg, len(messages))
	for i, m := range messages {
		if err := parseArg(m, &args[i]); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func parseArg(m *pb.Arg, a *Arg) (err error) {
	switch from := m.GetArg().(type) {
	case *pb.Arg_Ref:
		a.Ref.Raw = m.Raw
		a.Ref.Key, err = wire.ToKey(from.Ref)
	case *pb.Arg_Future:
		a.Ref.Raw = m.Raw
		a.Ref.Run, err = wire.ToRunID(from.Future)
		if err == nil && a.Ref.Run == (mesh.RunID{}) {
			err = mesh.Errorf(mesh.Invalid, "argument", "the id of no run: expected one that was started")
		}
	case *pb.Arg_Value:
		if a.Value, err = wire.ToValue(from.Value); err == nil && len(m.Holes) > 0 {
			a.Holes, err = parseHoles(m.Holes, a.Value)
		}
	}
	return err
}

func parseHoles(messages []*pb.Hole, in mesh.Value) ([]mesh.Hole, error) {
	if len(messages) > mesh.MaxReferences || in.Format != mesh.CBOR {
		return nil, mesh.Errorf(mesh.Invalid, "argument", "%d references in a value in %s: expected at most %d, in cbor", len(messages), in.Format, mesh.MaxReferences)
	}
	holes := make([]mesh.Hole, len(messages))
	for i, m := range messages {
		var err error
		if holes[i], err = wire.ToHole(m); err != nil {
			return nil, err
		}
		if at := holes[i].Offset; at >= len(in.Data) || i > 0 && at <= holes[i-1].Offset {
			return nil, mesh.Errorf(mesh.Invalid, "argument", "a reference at offset %d of %d: expected them in order, within the value", at, len(in.Data))
		}
	}
	return holes, nil
}

// checkReferences sees to the bound of references in a call, and that a run
// does not wait for itself.
func checkReferences(id mesh.RunID, lists ...[]Arg) error {
	count := 0
	for _, args := range lists {
		for r := range referencesOf(args) {
			if count++; count > mesh.MaxReferences {
				return mesh.Errorf(mesh.Invalid, "arguments", "more than %d references to keys and runs in one call", mesh.MaxReferences)
			}
			if r.Run == id && id != (mesh.RunID{}) {
				return mesh.Errorf(mesh.Invalid, "arguments", "the run %s has its own result as an argument", id)
			}
		}
	}
	return nil
}
