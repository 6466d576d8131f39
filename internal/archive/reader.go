package archive

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// maxRecord is more than a record has, in bytes.
const maxRecord = 128 << 20

// Verify reads all files of a backup, and gives a mesh.Invalid error that
// names the first that is not as it was written.
func Verify(dir string, m Manifest) error {
	for _, f := range m.Files {
		if err := f.verify(dir); err != nil {
			return err
		}
	}
	return nil
}

func (f File) verify(dir string) error {
	damaged := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, "backup "+filepath.Join(dir, f.Name), format, args...)
	}
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return damaged("%w", err)
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	switch {
	case err != nil:
		return damaged("%w", err)
	case size != f.Bytes:
		return damaged("the file has %d bytes: expected %d", size, f.Bytes)
	case hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return damaged("the file is damaged: its SHA-256 is %x, expected %s", sum.Sum(nil), f.SHA256)
	}
	return nil
}

// Read calls visit with each record, in the order in which they were written.
// A record that cannot be read is a mesh.Invalid error that names the file
// and where in it the record begins.
func Read(dir string, m Manifest, visit func(mesh.Record) error) error {
	for _, f := range m.Files {
		if err := f.read(dir, visit); err != nil {
			return err
		}
	}
	return nil
}

func (f File) read(dir string, visit func(mesh.Record) error) error {
	path := filepath.Join(dir, f.Name)
	file, err := os.Open(path)
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "backup "+path, "%w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<20)
	for at := int64(0); ; {
		record, size, err := readRecord(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return mesh.Errorf(mesh.Invalid, "backup "+path, "record at %d: %w", at, err)
		}
		if err := visit(record); err != nil {
			return err
		}
		at += size
	}
}

// readRecord gives io.EOF at the end of a file, and only there.
func readRecord(in io.Reader) (r mesh.Record, size int64, err error) {
	var header [8]byte
	if n, err := io.ReadFull(in, header[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return r, 0, io.EOF
		}
		return r, 0, errTruncated
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < 2 || length > maxRecord {
		return r, 0, errDamaged
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return r, 0, errTruncated
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(header[4:]) {
		return r, 0, errDamaged
	}
	r, err = decodeRecord(body)
	return r, int64(len(header) + len(body)), err
}

var (
	errTruncated = errors.New("the file ends within it")
	errDamaged   = errors.New("its checksum is wrong")
)

func decodeRecord(body []byte) (r mesh.Record, err error) {
	path := int(binary.BigEndian.Uint16(body))
	if len(body) < 2+path {
		return r, errDamaged
	}
	if r.Key, err = mesh.KeyFromPath(string(body[2 : 2+path])); err != nil {
		return r, err
	}
	r.Cell, err = lattice.DecodeCell(body[2+path:])
	return r, err
}
