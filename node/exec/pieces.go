package exec

import (
	"context"
	"encoding/binary"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// opened is a value that a guest reads piece by piece, as it was when the
// guest opened it. Its bytes are those that the store or the cache
// holds, not a copy.
type opened struct {
	key   mesh.Key
	value mesh.Value
}

// part gives a piece of what a key holds. A piece of no length opens the key
// anew; so does another key than that of the piece before.
func (q request) part(ctx context.Context) ([]byte, error) {
	key, err := q.key()
	if err != nil {
		return nil, err
	}
	if len(q.b) != abi.PartSize {
		return nil, mesh.Errorf(mesh.Invalid, "", "the place of a piece has %d bytes: expected %d, an offset in 8 and a length in 4, little-endian", len(q.b), abi.PartSize)
	}
	offset, most := binary.LittleEndian.Uint64(q.b), binary.LittleEndian.Uint32(q.b[8:])
	if most == 0 || q.opened.key != key {
		state, err := q.state(ctx)
		if err != nil {
			return nil, err
		}
		value, err := fn.Plain(state)
		if err != nil {
			return nil, err
		}
		q.opened = opened{key, value}
	}
	data := q.opened.value.Data
	size := uint64(len(data))
	from := min(offset, size)
	piece := data[from:min(from+uint64(min(most, abi.MaxPiece)), size)]
	payload := binary.LittleEndian.AppendUint64(make([]byte, 0, 9+len(piece)), size)
	return append(append(payload, byte(q.opened.value.Format)), piece...), nil
}

func (q request) emit(context.Context) ([]byte, error) {
	if len(q.b) != 1 {
		return nil, mesh.Errorf(mesh.Invalid, "", "the format of a piece has %d bytes: expected 1", len(q.b))
	}
	return nil, q.running.Emit(mesh.Format(q.b[0]), q.a)
}

// Emit appends a piece to the result, as fn.Emit says.
func (r *running) Emit(format mesh.Format, piece []byte) error {
	switch have := r.emitted.Format; {
	case !format.Valid():
		return mesh.Errorf(mesh.Invalid, "", "a piece of format %d: expected %d to %d", format, mesh.Raw, mesh.Protobuf)
	case have != 0 && have != format:
		return mesh.Errorf(mesh.Invalid, "", "a piece of %v after one of %v: expected the same", format, have)
	case len(piece) > MaxOutput-len(r.emitted.Data):
		return mesh.Errorf(mesh.UserError, "", "the result has more than %d bytes", MaxOutput)
	}
	r.emitted = mesh.Value{Format: format, Data: append(r.emitted.Data, piece...)}
	return nil
}

// whole gives the result of a function: what it returned, or emitted.
func (r *running) whole(returned mesh.Value) (mesh.Value, error) {
	switch {
	case r.emitted.Format == 0:
		return returned, nil
	case !returned.IsZero():
		return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "it returned a value after it had emitted one in pieces: expected one or the other")
	}
	return r.emitted, nil
}
