package sdk

import (
	"context"
	"io"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// GetRange reads length bytes from an offset on of the bytes or the text in a
// register, or up to the value's end where that comes first; a negative length
// means up to the end. Only the range is sent. An offset beyond the end is
// Invalid, a missing key NotFound, a key that holds anything else KindMismatch.
// The bytes are of one write, or the error is Conflict.
func (c *Client) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if offset < 0 {
		return nil, mesh.Errorf(mesh.Invalid, "get "+name, "offset %d: expected at least 0", offset)
	}
	r := &ValueReader{ctx: ctx, client: c, name: name}
	data, err := r.read(offset, firstLength(length))
	if err != nil || length == 0 {
		return nil, err
	}
	end := r.size
	if length > 0 {
		end = min(r.size, offset+min(length, r.size))
	}
	data = slices.Clip(data)
	for at := offset + int64(len(data)); at < end; at = offset + int64(len(data)) {
		part, err := r.read(at, end-at)
		if err != nil {
			return nil, err
		}
		data = append(data, part...)
	}
	return data, nil
}

// firstLength is what to ask for first: a reply tells the size of the whole,
// too. 0 asks for as much as a reply may have.
func firstLength(length int64) int64 {
	switch {
	case length < 0:
		return 0
	case length == 0:
		return 1
	}
	return length
}

// ValueReader reads the bytes or the text in a register piece by piece. It is
// an io.ReaderAt; io.NewSectionReader(r, 0, r.Size()) makes an io.ReadSeeker of
// it. It is safe for concurrent use.
type ValueReader struct {
	ctx     context.Context // of Reader, since ReadAt is given none
	client  *Client
	name    string
	size    int64
	version []byte // of the value; nil before the first read
}

// Reader opens a register for reading. All that it reads is of the write that
// it was opened on: once the key is written anew, reads give Conflict. The
// context is that of all reads. Errors are GetRange's.
func (c *Client) Reader(ctx context.Context, name string) (*ValueReader, error) {
	r := &ValueReader{ctx: ctx, client: c, name: name}
	_, err := r.read(0, 1)
	return r, err
}

// Size is the size of the value, in bytes.
func (r *ValueReader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *ValueReader) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, mesh.Errorf(mesh.Invalid, "get "+r.name, "offset %d: expected at least 0", offset)
	}
	for n < len(p) {
		at := offset + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		part, err := r.read(at, int64(len(p)-n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], part)
	}
	return n, nil
}

// read reads some bytes from an offset on: at least one if there is one. Its
// first call says what version the others are of.
func (r *ValueReader) read(offset, length int64) ([]byte, error) {
	key, err := r.client.key(r.name)
	if err != nil {
		return nil, err
	}
	reply, err := do[*pb.GetRangeReply](r.ctx, r.client, "get "+r.name, &pb.GetRange{
		Key: wire.FromKey(key), Offset: uint64(offset), Length: uint64(length),
		Quorum: uint32(r.client.state.ReadQuorum), Version: r.version,
	})
	if err != nil {
		return nil, err
	}
	if r.version == nil {
		r.size, r.version = int64(reply.Size), reply.Version
	}
	if int64(len(reply.Data)) == 0 && offset < r.size {
		return nil, mesh.Errorf(mesh.Internal, "get "+r.name, "the node gave nothing at offset %d of %d", offset, r.size)
	}
	return reply.Data, nil
}
