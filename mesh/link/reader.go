package link

import (
	"encoding/binary"
	"io"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
)

// maxSmallBody is the longest body, in bytes, that shares a stream with
// others; a longer one has a stream of its own. docs/rationale/streams.md
// tells how the number was found.
const maxSmallBody = 48 << 10

const (
	firstBuffer = 4 << 10
	maxBuffer   = wire.HeaderSize + maxSmallBody
)

// frameReader reads small frames off a stream. Its buffer grows with what
// arrives, up to one longest frame.
type frameReader struct {
	stream     io.Reader
	buf        []byte
	start, end int           // of what was read and not handed out
	reads      atomic.Uint64 // how often the stream gave something
}

// ready reports whether next will return without reading the stream.
func (r *frameReader) ready() bool {
	have := r.end - r.start
	return have >= wire.HeaderSize && have-wire.HeaderSize >= int(binary.BigEndian.Uint32(r.buf[r.start:]))
}

// next gives the next frame. The body is valid until the next call.
func (r *frameReader) next() (wire.Header, []byte, error) {
	if err := r.want(wire.HeaderSize); err != nil {
		return wire.Header{}, nil, err
	}
	h, err := wire.ParseHeader(r.buf[r.start:r.end], maxSmallBody)
	if err != nil {
		return wire.Header{}, nil, err
	}
	size := wire.HeaderSize + int(h.Length)
	if err := r.want(size); err != nil {
		return wire.Header{}, nil, truncated(err)
	}
	body := r.buf[r.start+wire.HeaderSize : r.start+size]
	r.start += size
	return h, body, nil
}

func truncated(err error) error {
	if err == io.EOF {
		return mesh.Errorf(mesh.Invalid, "frame", "the stream ended within a frame")
	}
	return err
}

// want reads until n bytes can be handed out; n is at most maxBuffer. EOF
// means that the stream ended before the first of them.
func (r *frameReader) want(n int) error {
	for r.end-r.start < n {
		r.makeRoom(n)
		got, err := r.stream.Read(r.buf[r.end:])
		r.end += got
		r.reads.Add(1)
		if err != nil && r.end-r.start < n {
			if err == io.EOF && r.end > r.start {
				return truncated(err)
			}
			return err
		}
	}
	return nil
}

// makeRoom lets the buffer hold n bytes from start on, and at least one more
// than it has.
func (r *frameReader) makeRoom(n int) {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.start > 0 && r.start+n > len(r.buf) {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if len(r.buf) >= n && r.end < len(r.buf) {
		return
	}
	grown := make([]byte, min(max(2*len(r.buf), n, firstBuffer), maxBuffer))
	r.end = copy(grown, r.buf[r.start:r.end])
	r.start, r.buf = 0, grown
}
