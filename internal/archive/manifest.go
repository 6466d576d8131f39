package archive

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// format is the version of the layout of folders, files and records.
const format = 1

const manifestName = "manifest.json"

// Manifest says what is in a backup.
type Manifest struct {
	Format  int       `json:"format"`
	Mesh    string    `json:"mesh"` // the mesh's id
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Records int64     `json:"records"` // keys, those deleted and parts of collections included
	Files   []File    `json:"files"`
}

// File is one of a backup's files of records.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hexadecimal
}

// Bytes is the size of all files.
func (m Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// ReadManifest reads what is in the backup in dir. It is mesh.NotFound where
// there is none, and mesh.Invalid where it cannot be read.
func ReadManifest(dir string) (Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, mesh.Errorf(mesh.NotFound, "backup "+dir, "no %s: expected a folder with a finished backup", manifestName)
	}
	if err != nil {
		return Manifest{}, mesh.Errorf(mesh.Invalid, "backup "+dir, "%w", err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, mesh.Errorf(mesh.Invalid, "backup "+dir, "%s: %w", manifestName, err)
	}
	if m.Format != format {
		return Manifest{}, mesh.Errorf(mesh.Invalid, "backup "+dir, "format %d: expected %d", m.Format, format)
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return Manifest{}, mesh.Errorf(mesh.Invalid, "backup "+dir, "file %q: expected a name without a folder", f.Name)
		}
	}
	return m, nil
}
