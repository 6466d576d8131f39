package node

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// maxRange is how much of a value one reply has at most, in bytes.
const maxRange = 8 << 20

// getRange reads a part of a register. A node that does not own the key has
// an owner answer, so that the whole value is not sent for it.
func (r *rooms) getRange(ctx context.Context, m *pb.GetRange) (*pb.GetRangeReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	if m.Forwarded || r.dht.Owns(key, r.cfg.Replicas) {
		return r.readRange(ctx, key, m)
	}
	forwarded := &pb.GetRange{Key: m.Key, Offset: m.Offset, Length: m.Length, Quorum: m.Quorum, Version: m.Version, Forwarded: true}
	err = mesh.Errorf(mesh.Unavailable, "get "+key.String(), "the key has no owner that could be asked")
	for _, owner := range r.dht.Owners(key, r.cfg.Replicas) {
		var reply wire.Message
		reply, err = r.peers.Call(ctx, owner, forwarded)
		if found, ok := reply.(*pb.GetRangeReply); ok && err == nil {
			return found, nil
		}
		if kind := mesh.KindOf(err); err != nil && kind != mesh.Unavailable && kind != mesh.Overloaded || ctx.Err() != nil {
			break
		}
	}
	return nil, mesh.AsError("get "+key.String(), err)
}

// readRange reads a part of what this node holds.
func (r *rooms) readRange(ctx context.Context, key mesh.Key, m *pb.GetRange) (*pb.GetRangeReply, error) {
	op := "get " + key.String()
	state, err := r.replica.Get(ctx, key, int(m.Quorum))
	if err != nil {
		return nil, err
	}
	value, err := bytesOf(op, state)
	if err != nil {
		return nil, err
	}
	version := versionOf(state)
	if len(m.Version) > 0 && !bytes.Equal(m.Version, version) {
		return nil, mesh.Errorf(mesh.Conflict, op, "the value was written anew: expected the version that was read before")
	}
	size := uint64(len(value.Data))
	if m.Offset > size {
		return nil, mesh.Errorf(mesh.Invalid, op, "offset %d: expected 0 to %d, the value's size in bytes", m.Offset, size)
	}
	length := min(size-m.Offset, maxRange)
	if m.Length > 0 {
		length = min(length, m.Length)
	}
	return &pb.GetRangeReply{
		Data: value.Data[m.Offset : m.Offset+length], Size: size, Version: version, Format: uint32(value.Format),
	}, nil
}

// bytesOf gives the bytes or the text that a register holds.
func bytesOf(op string, state lattice.Value) (mesh.Value, error) {
	payload, ok := state.Payload()
	if !ok || state.Kind() != lattice.LWWKind {
		return mesh.Value{}, mesh.Errorf(mesh.KindMismatch, op, "the key holds a %s: a range is read of a written lww", state.Kind())
	}
	value, err := mesh.DecodeValue(payload)
	if err == nil && value.Format != mesh.Raw && value.Format != mesh.Text {
		err = mesh.Errorf(mesh.KindMismatch, op, "the key holds %s: a range is read of raw bytes or text", value.Format)
	}
	return value, err
}

// versionOf tells the writes of a register apart.
func versionOf(state lattice.Value) []byte {
	stamp := state.Stamp()
	return append(binary.BigEndian.AppendUint64(nil, stamp.Time), stamp.Node...)
}
