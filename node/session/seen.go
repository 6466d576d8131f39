package session

import (
	"github.com/cespare/xxhash/v2"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// seen is a version of a key as a session sees it.
type seen struct {
	missing bool          // there is no such key
	value   lattice.Value // zero where it is elsewhere, too
	hash    uint64        // of the value; 0: not computed, or missing
}

// version tells versions apart: the hash of the value, and 0 where there is none.
func (s *seen) version() uint64 {
	if s.hash == 0 && !s.missing {
		s.hash = max(xxhash.Sum64(s.value.AppendBinary(nil)), 1)
	}
	return s.hash
}

// isHere reports whether the version is known with its value.
func (s *seen) isHere() bool { return s.missing || !s.value.IsZero() }

// message gives the version, with the value if that has at most so many bytes.
func (s *seen) message(limit int) *pb.Seen {
	m := &pb.Seen{Version: s.version()}
	if !s.value.IsZero() && s.value.Size() <= limit {
		m.Value = s.value.AppendBinary(nil)
	}
	return m
}

func parseSeen(m *pb.Seen) (seen, error) {
	s := seen{missing: m.GetVersion() == 0, hash: m.GetVersion()}
	if len(m.GetValue()) == 0 {
		return s, nil
	}
	value, err := lattice.Decode(m.Value)
	if err != nil || s.missing {
		return seen{}, mesh.Errorf(mesh.Invalid, "session", "a value of %d bytes of version %x: expected a lattice: %v", len(m.Value), s.hash, err)
	}
	s.value = value
	return s, nil
}

// written is the version after an operation.
func (s *seen) written(kind lattice.Kind, op lattice.Op, at lattice.Write) (seen, error) {
	state := lattice.New(kind)
	if !s.missing {
		state = s.value.Clone()
	}
	delta, err := lattice.Apply(state, op, at)
	if err != nil {
		return seen{}, err
	}
	_, err = state.Merge(delta)
	return seen{value: state}, err
}
