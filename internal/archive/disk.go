package archive

import (
	"io"
	"os"
)

// Disk is where a backup is written.
type Disk interface {
	// MkdirAll makes a folder and those above it, where they are missing.
	MkdirAll(dir string) error
	// List names what is in a folder.
	List(dir string) ([]string, error)
	// Create makes a file that is not there yet.
	Create(path string) (WritableFile, error)
	Rename(from, to string) error
	// SyncFolder brings the names in a folder onto the disk.
	SyncFolder(dir string) error
}

// WritableFile is a file that is being written.
type WritableFile interface {
	io.WriteCloser
	Sync() error
}

// localDisk is that of the operating system.
type localDisk struct{}

func (localDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func (localDisk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}

func (localDisk) Create(path string) (WritableFile, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func (localDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (localDisk) SyncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
