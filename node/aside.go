package node

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/virga-mesh/virga/internal/archive"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/replica"
)

// maxAside bounds how many folders of what was set aside a node keeps.
const maxAside = 1000

// aside is a folder of what this node held and may have been deleted while it
// was away, in the format of a backup. It is made with its first record.
type aside struct {
	rooms  *rooms
	dir    string
	writer *archive.Writer
}

func (r *rooms) openAside() (replica.Aside, error) {
	for n := 1; n <= maxAside; n++ {
		dir := filepath.Join(r.cfg.DataDir, fmt.Sprintf("returned-%d", n))
		if _, err := r.cfg.FS.Stat(dir); err != nil {
			return &aside{rooms: r, dir: dir}, nil
		}
	}
	return nil, mesh.Errorf(mesh.Unavailable, "set aside", "there are %d folders of earlier returns in %s already", maxAside, r.cfg.DataDir)
}

// Keep writes a record.
func (a *aside) Keep(record mesh.Record) (err error) {
	if a.writer == nil {
		if a.writer, err = archive.CreateOn(folders{a.rooms.cfg.FS}, a.dir, a.rooms.meshID.String(), time.Now()); err != nil {
			return err
		}
	}
	return a.writer.Write(record)
}

// Finish makes the folder a backup.
func (a *aside) Finish() (string, error) {
	if a.writer == nil {
		return "", nil
	}
	_, err := a.writer.Finish(time.Now())
	return a.dir, err
}

// Abandon leaves a folder that is no backup.
func (a *aside) Abandon() {
	if a.writer != nil {
		a.writer.Abandon()
	}
}

// folders lets archives be written on the disk of a node.
type folders struct{ fs vfs.FS }

func (f folders) MkdirAll(dir string) error         { return f.fs.MkdirAll(dir, 0o700) }
func (f folders) List(dir string) ([]string, error) { return f.fs.List(dir) }
func (f folders) Rename(from, to string) error      { return f.fs.Rename(from, to) }
func (f folders) SyncFolder(dir string) error       { return file{fs: f.fs}.syncFolder(dir) }

func (f folders) Create(path string) (archive.WritableFile, error) {
	return f.fs.Create(path, vfs.WriteCategoryUnspecified)
}
