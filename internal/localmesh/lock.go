package localmesh

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// lockTimeout is how long another process is waited for that starts or stops the mesh.
const lockTimeout = 10 * time.Second

// lock keeps other processes from starting or stopping the mesh of a home,
// which it makes if missing, until unlock is called or this process ends.
// While another does it waits, and then it is a Conflict.
func lock(ctx context.Context, home string) (unlock func(), err error) {
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
	if err = await(ctx, file); err == nil {
		return func() { file.Close() }, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, mesh.Errorf(mesh.Conflict, "local mesh", "another process is starting or stopping the mesh in %s", home)
	}
	return fail(err)
}

// await tries to lock a file until the time is up.
func await(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
