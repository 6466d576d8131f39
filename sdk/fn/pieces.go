package fn

import (
	"bytes"
	"context"
	"io"

	"github.com/virga-mesh/virga/mesh"
)

// Open reads what a key holds, as Plain has it, piece by piece: a function
// that is a module has no more of a large value in memory than it reads at
// once. It reads the value of this moment, until the function opens another
// key. A missing key is a NotFound error.
func Open[K KeyName](ctx context.Context, key K) (*io.SectionReader, mesh.Format, error) {
	lib, at, err := locate(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	if lib, ok := lib.(partial); ok {
		return openParts(lib, at)
	}
	state, err := lib.Get(ctx, at)
	if err != nil {
		return nil, 0, err
	}
	plain, err := Plain(state)
	return io.NewSectionReader(bytes.NewReader(plain.Data), 0, int64(len(plain.Data))), plain.Format, err
}

// partial is a Library that gives values in pieces.
type partial interface {
	// part reads a piece at an offset into b: how much, and of what. With an
	// empty b it opens the key.
	part(key mesh.Key, offset int64, b []byte) (n int, size int64, format mesh.Format, err error)
}

func openParts(lib partial, key mesh.Key) (*io.SectionReader, mesh.Format, error) {
	_, size, format, err := lib.part(key, 0, nil)
	if err != nil {
		return nil, 0, err
	}
	return io.NewSectionReader(&parts{lib, key, size}, 0, size), format, nil
}

// parts is an io.ReaderAt over the pieces of a value.
type parts struct {
	lib  partial
	key  mesh.Key
	size int64
}

func (p *parts) ReadAt(b []byte, offset int64) (n int, err error) {
	for n < len(b) {
		if offset+int64(n) >= p.size {
			return n, io.EOF
		}
		got, _, _, err := p.lib.part(p.key, offset+int64(n), b[n:])
		if n += got; err != nil || got == 0 {
			return n, err
		}
	}
	return n, nil
}

// Emit appends a piece to the function's result, which has at most 48 MiB. A
// function that emits returns None. It works in native functions and in
// modules; in a worker it is an Invalid error. The bytes are copied.
func Emit(ctx context.Context, format mesh.Format, piece []byte) error {
	lib, err := FromContext(ctx)
	if err != nil {
		return err
	}
	emitter, ok := lib.(interface {
		Emit(format mesh.Format, piece []byte) error
	})
	if !ok {
		return mesh.Errorf(mesh.Invalid, "emit", "the function runs where results are not made in pieces: expected a native function or a module")
	}
	return emitter.Emit(format, piece)
}
