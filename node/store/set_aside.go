package store

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
)

// maxAside bounds how many damaged folders may stand beside a store.
const maxAside = 1000

// isDamage reports whether an error of opening a folder comes from what its
// files hold, from files that are missing or from sectors that cannot be read.
// Other errors of the operating system, such as that of a full disk, and those
// of this package, say nothing about the contents.
func isDamage(err error) bool {
	var own *mesh.Error
	var system syscall.Errno
	switch {
	case errors.As(err, &own):
		return false
	case errors.As(err, &system):
		return system == syscall.ENOENT || system == syscall.EIO
	}
	return true
}

// setAside renames a folder and gives its new name.
func setAside(fs vfs.FS, dir string) (string, error) {
	for n := 1; n <= maxAside; n++ {
		aside := fmt.Sprintf("%s.damaged-%d", dir, n)
		if _, err := fs.Stat(aside); err == nil {
			continue
		}
		if err := fs.Rename(dir, aside); err != nil {
			return "", err
		}
		return aside, syncFolder(fs, fs.PathDir(dir))
	}
	return "", mesh.Errorf(mesh.Unavailable, "set aside", "there are %d damaged folders beside %s already", maxAside, dir)
}

func syncFolder(fs vfs.FS, dir string) error {
	folder, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
