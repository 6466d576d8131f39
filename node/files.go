package node

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/mesh"
)

// file is a small file in the data folder: read whole, written whole or not
// at all, and there after a loss of power once it is written.
type file struct {
	fs     vfs.FS
	folder string
	name   string
}

func (c Config) file(name string) file { return file{fs: c.FS, folder: c.DataDir, name: name} }

// Load gives the content, or nothing when there is no such file.
func (f file) Load() ([]byte, error) {
	opened, err := f.fs.Open(f.fs.PathJoin(f.folder, f.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, f.failed("read", err)
	}
	defer opened.Close()
	content, err := io.ReadAll(opened)
	if err != nil {
		return nil, f.failed("read", err)
	}
	return content, nil
}

// Save replaces the content. On the disk only the owner of the process may read it.
func (f file) Save(content []byte) error {
	path := f.fs.PathJoin(f.folder, f.name)
	err := f.fs.MkdirAll(f.folder, 0o700)
	if err == nil {
		err = f.writeSynced(path+".new", content)
	}
	if err == nil {
		err = f.fs.Rename(path+".new", path)
	}
	if err == nil { // a name is safe only when its folder is, and that when its own is
		err = errors.Join(f.syncFolder(f.folder), f.syncFolder(f.fs.PathDir(f.folder)))
	}
	if err != nil {
		return f.failed("write", err)
	}
	return nil
}

func (f file) syncFolder(path string) error {
	folder, err := f.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (f file) writeSynced(path string, content []byte) error {
	created, err := f.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if f.fs == vfs.Default {
		err = os.Chmod(path, 0o600)
	}
	if err == nil {
		_, err = created.Write(content)
	}
	return errors.Join(err, created.Sync(), created.Close())
}

func (f file) failed(doing string, err error) error {
	return mesh.Errorf(mesh.Internal, doing+" "+f.name, "%w", err)
}
