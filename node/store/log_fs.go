package store

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logFS is the file system under Pebble. It changes how files in the folder
// of the write-ahead log behave, and leaves all others alone.
//
// Pebble knows two ways to commit: NoSync, which leaves the record in a
// buffer of the process, and Sync, which waits for write(2) and then for
// fsync(2). The level between, "handed to the operating system", is what
// mesh.Logged promises. So Sync on a file of the log only notes that it is
// dirty: for Pebble a commit with Sync then ends with write(2), and the true
// fsync is done by SyncLogs, for all commits since the last one together.
//
// The first write, sync or creation in the log that fails is told to onFail,
// and hidden from Pebble, which answers such an error by ending the process.
// From then on the log swallows what it is given; the store acknowledges
// nothing any more.
type logFS struct {
	vfs.FS
	logDir string
	onFail func(error)
	failed atomic.Bool

	mu   sync.Mutex
	logs map[*logFile]struct{} // open for writing
}

func newLogFS(base vfs.FS, logDir string, onFail func(error)) *logFS {
	return &logFS{FS: base, logDir: logDir, onFail: onFail, logs: make(map[*logFile]struct{})}
}

// SyncLogs brings everything that was written to the log onto the disk.
func (fs *logFS) SyncLogs() error {
	fs.mu.Lock()
	open := make([]*logFile, 0, len(fs.logs))
	for f := range fs.logs {
		open = append(open, f)
	}
	fs.mu.Unlock()
	for _, f := range open {
		if err := f.syncIfDirty(); err != nil {
			return err
		}
	}
	return nil
}

func (fs *logFS) fail(err error) {
	if !fs.failed.Swap(true) {
		fs.onFail(err)
	}
}

func (fs *logFS) inLog(name string) bool { return fs.PathDir(name) == fs.logDir }

// Create is vfs.FS's.
func (fs *logFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !fs.inLog(name) {
		return fs.FS.Create(name, category)
	}
	return fs.track(fs.FS.Create(name, category))
}

// ReuseForWrite is vfs.FS's.
func (fs *logFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !fs.inLog(newname) {
		return fs.FS.ReuseForWrite(oldname, newname, category)
	}
	return fs.track(fs.FS.ReuseForWrite(oldname, newname, category))
}

// OpenDir is vfs.FS's.
func (fs *logFS) OpenDir(name string) (vfs.File, error) {
	dir, err := fs.FS.OpenDir(name)
	if err != nil || name != fs.logDir {
		return dir, err
	}
	return &logFolder{File: dir, fs: fs}, nil
}

// track wraps a file of the log. One that could not be made is replaced by
// a file in memory, which nobody will read: the store has failed.
func (fs *logFS) track(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		fs.fail(err)
		file = vfs.NewMemFile(nil)
	}
	f := &logFile{File: file, fs: fs}
	fs.mu.Lock()
	fs.logs[f] = struct{}{}
	fs.mu.Unlock()
	return f, nil
}

// logFile is a file of the log, open for writing.
type logFile struct {
	vfs.File
	fs    *logFS
	dirty atomic.Bool // written since the last true sync

	mu     sync.Mutex // orders true syncs and Close
	closed bool
}

// Write hands p to the operating system.
func (f *logFile) Write(p []byte) (int, error) {
	if f.fs.failed.Load() {
		return len(p), nil
	}
	f.dirty.Store(true)
	if _, err := f.File.Write(p); err != nil {
		f.fs.fail(err)
	}
	return len(p), nil
}

// Sync is left to SyncLogs.
func (f *logFile) Sync() error { return nil }

// SyncData is left to SyncLogs.
func (f *logFile) SyncData() error { return nil }

// SyncTo is left to SyncLogs.
func (f *logFile) SyncTo(int64) (bool, error) { return false, nil }

// Preallocate is advice; a full disk shows itself at Write.
func (f *logFile) Preallocate(offset, length int64) error {
	_ = f.File.Preallocate(offset, length)
	return nil
}

// Close syncs: Pebble starts the next log only after this one is whole on disk.
func (f *logFile) Close() error {
	f.fs.mu.Lock()
	delete(f.fs.logs, f)
	f.fs.mu.Unlock()
	_ = f.syncIfDirty() // told to onFail
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if err := f.File.Close(); err != nil {
		f.fs.fail(err)
	}
	return nil
}

var errLogFailed = errors.New("an earlier write to the log failed")

func (f *logFile) syncIfDirty() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fs.failed.Load() {
		return errLogFailed
	}
	if f.closed || !f.dirty.Swap(false) {
		return nil
	}
	if err := f.File.SyncData(); err != nil {
		f.fs.fail(err)
		return err
	}
	return nil
}

// logFolder is the folder of the log, open for syncing.
type logFolder struct {
	vfs.File
	fs *logFS
}

// Sync makes the creation of a log durable.
func (d *logFolder) Sync() error {
	if err := d.File.Sync(); err != nil {
		d.fs.fail(err)
	}
	return nil
}
