package archive

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// fileBytes is about how large a file gets.
const fileBytes = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Writer makes a backup. It is for one goroutine.
type Writer struct {
	disk     Disk
	dir      string
	manifest Manifest
	file     WritableFile // being written, under a temporary name
	out      *bufio.Writer
	sum      hash.Hash
	bytes    int64 // in file
	record   []byte
}

// Create begins a backup in a folder, which is made if it is missing and must
// be empty.
func Create(dir, meshID string, began time.Time) (*Writer, error) {
	return CreateOn(localDisk{}, dir, meshID, began)
}

// CreateOn is Create on another disk.
func CreateOn(disk Disk, dir, meshID string, began time.Time) (*Writer, error) {
	w := &Writer{disk: disk, dir: dir, manifest: Manifest{Format: format, Mesh: meshID, Began: began.UTC(), Files: []File{}}}
	if err := disk.MkdirAll(dir); err != nil {
		return nil, w.failed(err)
	}
	entries, err := disk.List(dir)
	if err != nil {
		return nil, w.failed(err)
	}
	if len(entries) > 0 {
		return nil, mesh.Errorf(mesh.Conflict, "backup", "folder %s has %s: expected an empty one", dir, entries[0])
	}
	return w, nil
}

func (w *Writer) failed(err error) error {
	return mesh.Errorf(mesh.Unavailable, "backup", "folder %s: %w", w.dir, err)
}

// Write adds a record.
//
// In a file a record is the length of what follows (32 bits), the CRC-32C of
// that (32 bits), the length of the key's path (16 bits), the path, and the
// cell's encoding; all numbers big-endian.
func (w *Writer) Write(r mesh.Record) error {
	if w.file == nil {
		if err := w.begin(); err != nil {
			return w.failed(err)
		}
	}
	path := r.Key.Path()
	w.record = binary.BigEndian.AppendUint16(append(w.record[:0], make([]byte, 8)...), uint16(len(path)))
	w.record = r.Cell.AppendBinary(append(w.record, path...))
	body := w.record[8:]
	binary.BigEndian.PutUint32(w.record, uint32(len(body)))
	binary.BigEndian.PutUint32(w.record[4:], crc32.Checksum(body, castagnoli))
	if _, err := w.out.Write(w.record); err != nil {
		return w.failed(err)
	}
	w.manifest.Records++
	w.bytes += int64(len(w.record))
	if w.bytes < fileBytes {
		return nil
	}
	return w.end()
}

func (w *Writer) name() string { return fmt.Sprintf("cells-%04d.virga", len(w.manifest.Files)+1) }

func (w *Writer) begin() (err error) {
	w.file, err = w.disk.Create(filepath.Join(w.dir, w.name()+".part"))
	if err != nil {
		return err
	}
	w.sum, w.bytes = sha256.New(), 0
	w.out = bufio.NewWriterSize(io.MultiWriter(w.file, w.sum), 1<<20)
	return nil
}

// end makes the file that is being written whole.
func (w *Writer) end() error {
	if w.file == nil {
		return nil
	}
	err := w.out.Flush()
	if err == nil {
		err = w.file.Sync()
	}
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	name := filepath.Join(w.dir, w.name())
	if err == nil {
		err = w.disk.Rename(name+".part", name)
	}
	if err != nil {
		return w.failed(err)
	}
	w.manifest.Files = append(w.manifest.Files, File{Name: w.name(), Bytes: w.bytes, SHA256: hex.EncodeToString(w.sum.Sum(nil))})
	w.file = nil
	return nil
}

// Finish makes the folder a backup, and says what is in it.
func (w *Writer) Finish(ended time.Time) (Manifest, error) {
	if err := w.end(); err != nil {
		return Manifest{}, err
	}
	w.manifest.Ended = ended.UTC()
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err == nil {
		err = w.writeWhole(filepath.Join(w.dir, manifestName), append(text, '\n'))
	}
	if err == nil {
		err = w.disk.SyncFolder(w.dir)
	}
	if err != nil {
		return Manifest{}, w.failed(err)
	}
	return w.manifest, nil
}

// writeWhole writes a file of which there is never a part.
func (w *Writer) writeWhole(path string, content []byte) error {
	file, err := w.disk.Create(path + ".part")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = w.disk.Rename(path+".part", path)
	}
	return err
}

// Abandon closes what is open; the folder is no backup.
func (w *Writer) Abandon() {
	if w.file != nil {
		_ = w.file.Close() // what is in it is of no use
	}
}
