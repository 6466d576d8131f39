package fn

import (
	"context"
	"os"
	"strings"
	"unsafe"

	"errors"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn/abi"
)

// The guest's side of the ABI. A guest runs one call at a time, and its
// goroutines take turns, so that these buffers need no lock.
var guest struct {
	args   []byte // where the host writes the arguments of the next call
	answer []byte // where the host reads what was answered last
	names  []byte
}

// maxKept bounds the buffers that a guest keeps from call to call.
const maxKept = 1 << 20

//go:wasmexport virga_abi
func guestABI() uint32 { return abi.Version }

//go:wasmexport virga_formats
func guestFormats() uint32 { return 1<<mesh.Raw | 1<<mesh.Text | 1<<mesh.CBOR }

//go:wasmexport virga_alloc
func guestAlloc(size uint32) unsafe.Pointer {
	guest.args = resized(guest.args, int(size))
	return unsafe.Pointer(unsafe.SliceData(guest.args))
}

//go:wasmexport virga_functions
func guestFunctions() uint64 {
	var names []string
	for _, function := range Exported() {
		names = append(names, function.Name)
	}
	guest.names = []byte(strings.Join(names, "\n"))
	return spanOf(guest.names)
}

//go:wasmexport virga_call
func guestCall(index uint32, args unsafe.Pointer, size uint32) uint64 {
	result, err := callExported(index, unsafe.Slice((*byte)(args), size))
	guest.answer = resized(guest.answer, 0)
	if err != nil {
		guest.answer = abi.AppendError(guest.answer, err)
	} else {
		guest.answer = abi.AppendResult(guest.answer, result)
	}
	return spanOf(guest.answer)
}

func callExported(index uint32, args []byte) (mesh.Value, error) {
	exports.Lock()
	functions := exports.functions
	exports.Unlock()
	if uint64(index) >= uint64(len(functions)) {
		return mesh.Value{}, mesh.Errorf(mesh.NotFound, "", "function %d of %d", index, len(functions))
	}
	values, err := abi.ReadArgs(args)
	if err != nil {
		return mesh.Value{}, err
	}
	ctx := newGuestContext()
	defer ctx.end()
	result, err := functions[index].Raw(ctx, values)
	var panicked *Panic
	if errors.As(err, &panicked) {
		os.Stderr.Write(append([]byte(panicked.Error()+"\n"), panicked.Stack...))
	}
	return result, err
}

func spanOf(b []byte) uint64 {
	return abi.PackSpan(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), uint32(len(b)))
}

// resized gives b with size bytes, or another in its place if b is too small, or too large to keep.
func resized(b []byte, size int) []byte {
	if cap(b) < max(size, 1) || cap(b) > maxKept && size <= maxKept {
		return make([]byte, size, max(size, 64))
	}
	return b[:size]
}

// withGuestLibrary is the context that those of all calls are made from.
var withGuestLibrary = WithLibrary(context.Background(), hostLibrary{})
