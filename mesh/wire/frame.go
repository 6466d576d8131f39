package wire

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
)

// HeaderSize is the length of a frame's header in bytes. All its numbers are
// big-endian:
//
//	body length u32 | type u16 | flags u8 | zero u8 | id u64 | timeout µs u32
const HeaderSize = 20

// Flags of a frame.
type Flags uint8

const (
	// Reply marks the answer to the request with the same id.
	Reply Flags = 1 << 0
	// OneWay marks a message that is not answered.
	OneWay Flags = 1 << 1
	// Fresh marks a request that must not be begun late. Its body begins with
	// when it was sent and how long after that it may be begun:
	//
	//	sent µs u32 | within µs u32
	Fresh Flags = 1 << 2
)

// freshSize is what Fresh adds to the front of a body, in bytes.
const freshSize = 8

// Header is what stands before a frame's body.
type Header struct {
	Length  uint32 // of the body, in bytes
	Type    Type
	Flags   Flags
	ID      uint64        // pairs a reply with its request, within one direction of a connection
	Timeout time.Duration // how long the sender will wait; 0: for ever; sent in µs, at most MaxTimeout

	// With Fresh, for AppendFrame. ParseHeader leaves them: see CutFresh.
	Sent   uint32        // when, in µs of a clock of the sender's that wraps around
	Within time.Duration // after that; in µs, at most MaxTimeout
}

// MaxTimeout is the longest timeout that a header can say.
const MaxTimeout = (1<<32 - 1) * time.Microsecond

// Put writes the header into the first HeaderSize bytes of dst.
func (h Header) Put(dst []byte) {
	_ = dst[HeaderSize-1]
	binary.BigEndian.PutUint32(dst[0:], h.Length)
	binary.BigEndian.PutUint16(dst[4:], uint16(h.Type))
	dst[6], dst[7] = byte(h.Flags), 0
	binary.BigEndian.PutUint64(dst[8:], h.ID)
	binary.BigEndian.PutUint32(dst[16:], timeoutMicros(h.Timeout))
}

// timeoutMicros rounds up, so that a positive timeout never becomes "for ever".
func timeoutMicros(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32((min(d, MaxTimeout) + time.Microsecond - 1) / time.Microsecond)
}

// ParseHeader reads a header from the first HeaderSize bytes of src. It
// refuses a body longer than limit and a header that breaks the format.
func ParseHeader(src []byte, limit uint32) (Header, error) {
	if len(src) < HeaderSize {
		return Header{}, mesh.Errorf(mesh.Invalid, "frame", "header of %d bytes: expected %d", len(src), HeaderSize)
	}
	h := Header{
		Length:  binary.BigEndian.Uint32(src[0:]),
		Type:    Type(binary.BigEndian.Uint16(src[4:])),
		Flags:   Flags(src[6]),
		ID:      binary.BigEndian.Uint64(src[8:]),
		Timeout: time.Duration(binary.BigEndian.Uint32(src[16:])) * time.Microsecond,
	}
	if h.Length > limit {
		return Header{}, mesh.Errorf(mesh.Invalid, "frame", "body of %d bytes: expected at most %d", h.Length, limit)
	}
	if src[7] != 0 || h.Flags&^(Reply|OneWay) != 0 && h.Flags != Fresh {
		return Header{}, mesh.Errorf(mesh.Invalid, "frame", "flags %#x, reserved byte %#x: not of this protocol version", src[6], src[7])
	}
	return h, nil
}

// CutFresh takes what Fresh adds off the front of a body, into h, and gives the rest.
func (h *Header) CutFresh(body []byte) ([]byte, error) {
	if h.Flags&Fresh == 0 {
		return body, nil
	}
	if len(body) < freshSize {
		return nil, mesh.Errorf(mesh.Invalid, "frame", "body of %d bytes: expected at least %d, which say when it was sent", len(body), freshSize)
	}
	h.Sent = binary.BigEndian.Uint32(body)
	h.Within = time.Duration(binary.BigEndian.Uint32(body[4:])) * time.Microsecond
	return body[freshSize:], nil
}

// AppendFrame appends a whole frame: h, with the type and length of m, and m.
func AppendFrame(dst []byte, h Header, m Message) ([]byte, error) {
	h.Type = TypeOf(m)
	if h.Type == 0 {
		return dst, mesh.Errorf(mesh.Internal, "frame", "%T is not a message of the data plane", m)
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	if h.Flags&Fresh != 0 {
		dst = binary.BigEndian.AppendUint32(dst, h.Sent)
		dst = binary.BigEndian.AppendUint32(dst, timeoutMicros(h.Within))
	}
	out, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	if err != nil {
		return dst[:start], mesh.Errorf(mesh.Invalid, "frame", "encode %T: %w", m, err)
	}
	body := len(out) - start - HeaderSize
	if uint64(body) > 1<<32-1 {
		return out[:start], mesh.Errorf(mesh.Invalid, "frame", "%T of %d bytes: expected less than 4 GiB", m, body)
	}
	h.Length = uint32(body)
	h.Put(out[start:])
	return out, nil
}

// ParseBody decodes the body of a frame. The message holds copies, not body.
func ParseBody(t Type, body []byte) (Message, error) {
	m := t.New()
	if m == nil {
		return nil, mesh.Errorf(mesh.Invalid, "frame", "message type %d is not known to this version", t)
	}
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "frame", "body of %T: %w", m, err)
	}
	return m, nil
}
