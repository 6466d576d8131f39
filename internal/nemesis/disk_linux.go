package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/virga-mesh/virga/mesh"
)

// roomOnDisk is how much a small disk can hold beside what is on it.
const roomOnDisk = 64 << 20

// mountable says why no file system can be mounted: without root, and where
// the mounts of the machine would be changed, it is not tried.
func mountable(*arena) string {
	if os.Geteuid() != 0 {
		return "a small disk needs root"
	}
	if !isApart() {
		return "a small disk needs mounts that are seen by nobody else, which this machine does not give"
	}
	return ""
}

// smallDisk moves a node's data onto a small file system in memory.
func smallDisk(ctx context.Context, a *arena, victim int) error {
	if a.disks[victim] {
		return nil
	}
	if err := a.stop(ctx, victim); err != nil {
		return err
	}
	if err := mountOver(a.nodes[victim].Data()); err != nil {
		return err
	}
	a.disks[victim] = true
	if err := a.restart(ctx); err != nil {
		return err
	}
	return a.whole(ctx)
}

// mountOver mounts a file system in memory over a folder, with what is in it.
func mountOver(folder string) error {
	size, err := sizeOf(folder)
	if err != nil {
		return err
	}
	aside := folder + ".before"
	for _, step := range []func() error{
		func() error { return os.Rename(folder, aside) },
		func() error { return os.Mkdir(folder, 0o700) },
		func() error {
			return syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size+roomOnDisk))
		},
		func() error { return os.CopyFS(folder, os.DirFS(aside)) },
	} {
		if err := step(); err != nil {
			return mesh.Errorf(mesh.Internal, "small disk", "%w", err)
		}
	}
	return nil
}

// unmount takes away what mountOver has mounted, at the latest when the last
// process that still uses it has ended.
func unmount(folder string) error {
	if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
		return mesh.Errorf(mesh.Internal, "small disk", "unmount: %w", err)
	}
	return nil
}

func sizeOf(folder string) (size int64, err error) {
	err = filepath.Walk(folder, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// ballast is the file that fills a disk.
func ballast(a *arena, victim int) string { return filepath.Join(a.nodes[victim].Data(), "ballast") }

func fillDisk(_ context.Context, a *arena, victim int) (string, error) {
	file, err := os.OpenFile(ballast(a, victim), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", mesh.Errorf(mesh.Internal, "fill the disk", "%w", err)
	}
	defer file.Close()
	written, err := io.Copy(file, zeroes{})
	if !errors.Is(err, syscall.ENOSPC) {
		return "", mesh.Errorf(mesh.Internal, "fill the disk", "after %d bytes: %w", written, err)
	}
	return fmt.Sprintf("with %d MiB", written>>20), nil
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// freeDisk makes room again. The node has stopped to acknowledge, and is started anew.
func freeDisk(ctx context.Context, a *arena, victim int) error {
	if err := os.Remove(ballast(a, victim)); err != nil {
		return mesh.Errorf(mesh.Internal, "free the disk", "%w", err)
	}
	if err := a.stop(ctx, victim); err != nil {
		return err
	}
	return a.restart(ctx)
}
