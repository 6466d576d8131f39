package localmesh

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/virga-mesh/virga/mesh"
)

// lock keeps other processes from starting or stopping the mesh of a home,
// which it makes if missing, until unlock is called or this process ends.
func lock(home string) (unlock func(), err error) {
	fail := func(err error) (func(), error) {
		return nil, mesh.Errorf(mesh.Internal, "local mesh", "lock %s: %w", home, err)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fail(err)
	}
	file, err := os.OpenFile(filepath.Join(home, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fail(err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { file.Close() }, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, mesh.Errorf(mesh.Conflict, "local mesh", "another process is starting or stopping the mesh in %s", home)
	}
	return fail(err)
}
