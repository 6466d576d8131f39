package wire

import (
	"math"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FromHole gives h as a message.
func FromHole(h mesh.Hole) *pb.Hole {
	m := &pb.Hole{Offset: uint32(h.Offset), Path: h.Path, Raw: h.Raw}
	if h.Run != (mesh.RunID{}) {
		m.Reference = &pb.Hole_Future{Future: h.Run[:]}
	} else {
		m.Reference = &pb.Hole_Ref{Ref: FromKey(h.Key)}
	}
	return m
}

// ToHole reads a hole. Whether its offset is one of the value is not known here.
func ToHole(m *pb.Hole) (h mesh.Hole, err error) {
	h.Offset, h.Path, h.Raw = int(min(m.GetOffset(), math.MaxInt32)), m.GetPath(), m.GetRaw()
	if len(h.Path) > mesh.MaxHolePath {
		return h, mesh.Errorf(mesh.Invalid, "hole", "a path of %d bytes: expected at most %d", len(h.Path), mesh.MaxHolePath)
	}
	switch r := m.GetReference().(type) {
	case *pb.Hole_Ref:
		h.Key, err = ToKey(r.Ref)
	case *pb.Hole_Future:
		h.Run, err = ToRunID(r.Future)
	default:
		err = mesh.Errorf(mesh.Invalid, "hole", "at offset %d stands nothing: expected a key or a run", h.Offset)
	}
	return h, err
}
