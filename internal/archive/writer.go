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
	"os"
	"path/filepath"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// fileBytes is about how large a file gets.
const fileBytes = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Writer makes a backup. It is for one goroutine.
type Writer struct {
	dir      string
	manifest Manifest
	file     *os.File // being written, under a temporary name
	out      *bufio.Writer
	sum      hash.Hash
	bytes    int64 // in file
	record   []byte
}

// Create begins a backup in a folder, which is made if it is missing and must
// be empty.
func Create(dir, meshID string, began time.Time) (*Writer, error) {
	w := &Writer{dir: dir, manifest: Manifest{Format: format, Mesh: meshID, Began: began.UTC(), Files: []File{}}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, w.failed(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, w.failed(err)
	}
	if len(entries) > 0 {
		return nil, mesh.Errorf(mesh.Conflict, "backup", "folder %s has %s: expected an empty one", dir, entries[0].Name())
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
	w.file, err = os.OpenFile(filepath.Join(w.dir, w.name()+".part"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
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
		err = os.Rename(name+".part", name)
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
		err = writeWhole(filepath.Join(w.dir, manifestName), append(text, '\n'))
	}
	if err == nil {
		err = syncFolder(w.dir)
	}
	if err != nil {
		return Manifest{}, w.failed(err)
	}
	return w.manifest, nil
}

// writeWhole writes a file of which there is never a part.
func writeWhole(path string, content []byte) error {
	file, err := os.OpenFile(path+".part", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
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
		err = os.Rename(path+".part", path)
	}
	return err
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// Abandon closes what is open; the folder is no backup.
func (w *Writer) Abandon() {
	if w.file != nil {
		_ = w.file.Close() // what is in it is of no use
	}
}
