package exec

import (
	"errors"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/virga-mesh/virga/mesh"
)

// trapped words how a sandbox ended that did not return: ended, which is the
// error of a context, its memory was refused, it exited, or it trapped.
func trapped(ended error, memory *linearMemory, out *output, err error) error {
	var exit *sys.ExitError
	var known *mesh.Error
	switch {
	case errors.As(err, &known):
		return known
	case ended != nil:
		return mesh.AsError("", ended)
	case memory.denied != nil:
		return memory.denied
	case errors.As(err, &exit):
		return mesh.Errorf(mesh.UserError, "", "the module exited with code %d%s", exit.ExitCode(), out.lastWords())
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	return mesh.Errorf(mesh.UserError, "", "the module trapped: %s%s", strings.TrimPrefix(reason, "wasm error: "), out.lastWords())
}

// brokenABI is what a module gets for answers that are none.
func brokenABI(format string, args ...any) *mesh.Error {
	return mesh.Errorf(mesh.UserError, "", "the module broke the guest ABI: "+format, args...)
}
