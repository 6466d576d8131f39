package link

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestFramesAreReadFromAnyPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var stream []byte
	var sizes []int
	for i := range 200 {
		size := random.IntN(300)
		if i%20 == 0 {
			size = maxSmallBody - 8
		}
		sizes = append(sizes, size)
		stream = append(stream, frameOf(t, wire.Header{ID: uint64(i)}, &pb.Put{Op: make([]byte, size)})...)
	}
	for name, source := range map[string]io.Reader{
		"whole":     bytes.NewReader(stream),
		"bytes":     iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":    iotest.HalfReader(bytes.NewReader(stream)),
		"with EOF":  iotest.DataErrReader(bytes.NewReader(stream)),
		"in pieces": pieces{bytes.NewReader(stream), random},
	} {
		r := &frameReader{stream: source}
		for i, size := range sizes {
			h, body, err := r.next()
			if err != nil {
				t.Fatalf("%s: frame %d: %v", name, i, err)
			}
			m, err := wire.ParseBody(h.Type, body)
			if err != nil || h.ID != uint64(i) || len(m.(*pb.Put).Op) != size {
				t.Fatalf("%s: frame %d is frame %d, %v", name, i, h.ID, err)
			}
		}
		if _, _, err := r.next(); err != io.EOF {
			t.Errorf("%s: at the end: %v, want EOF", name, err)
		}
		if len(r.buf) > maxBuffer {
			t.Errorf("%s: the buffer grew to %d bytes", name, len(r.buf))
		}
	}
}

// pieces reads a random number of bytes at a time.
type pieces struct {
	io.Reader
	random *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:min(len(b), 1+p.random.IntN(5000))])
}

func TestTruncatedFramesAreInvalid(t *testing.T) {
	frame := frameOf(t, wire.Header{ID: 1}, &pb.Put{Op: []byte("0123456789")})
	for n := 1; n < len(frame); n++ {
		r := &frameReader{stream: bytes.NewReader(frame[:n])}
		if _, _, err := r.next(); mesh.KindOf(err) != mesh.Invalid {
			t.Errorf("after %d bytes: %v, want Invalid", n, err)
		}
	}
}

func TestReadyIsAWholeFrame(t *testing.T) {
	frame := frameOf(t, wire.Header{ID: 1}, &pb.Put{Op: make([]byte, 100)})
	r := &frameReader{stream: bytes.NewReader(append(bytes.Clone(frame), frame[:len(frame)-1]...))}
	if r.ready() {
		t.Error("ready before anything was read")
	}
	r.next()
	if r.ready() {
		t.Error("ready with all but one byte of a frame")
	}
}

// FuzzFrameReader feeds any bytes: it must neither panic nor take more memory than a frame.
func FuzzFrameReader(f *testing.F) {
	frame, err := wire.AppendFrame(nil, wire.Header{ID: 1}, &pb.Put{Op: []byte("op")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Add(append(frame, frame[:10]...))
	f.Fuzz(func(t *testing.T, input []byte) {
		r := &frameReader{stream: iotest.HalfReader(bytes.NewReader(input))}
		for {
			if _, _, err := r.next(); err != nil {
				break
			}
		}
		if len(r.buf) > maxBuffer {
			t.Errorf("the buffer grew to %d bytes", len(r.buf))
		}
	})
}
