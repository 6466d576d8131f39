package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableFS checks large blocks of tables before the engine does. Where a
// checksum does not match, Pebble 2.1 tries every bit of a block's first
// 40 KiB to tell which one was flipped, with the checksum of the whole block
// for each: 13 µs for each byte of the block, a minute for one of 4 MiB, each
// time that it is read. What is refused here never gets there.
type tableFS struct{ vfs.FS }

// largeBlock is from which size on a read of a table is checked, in bytes. Of
// a table the engine reads whole blocks, and what else it reads is shorter.
const largeBlock = 16 << 10

// Open is vfs.FS's.
func (fs tableFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := fs.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return file, err
	}
	return tableOnDisk{file}, nil
}

// tableOnDisk is a table's file, open for reading.
type tableOnDisk struct{ vfs.File }

// ReadAt gives an error that wraps pebble.ErrCorruption for a large block
// whose checksum does not match.
func (f tableOnDisk) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err != nil || n < largeBlock || n < len(p) {
		return n, err
	}
	body := p[:n-4]
	if want, got := binary.LittleEndian.Uint32(p[n-4:]), checksumOfBlock(body); got != want {
		return 0, fmt.Errorf("%w: block of %d bytes at %d: its checksum is %x, expected %x", pebble.ErrCorruption, n, off, got, want)
	}
	return n, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumOfBlock is the checksum of a block and the byte that says how it is
// compressed: the format of tables since LevelDB (table_format.md, "block
// trailer"; the masking is crc32c.h's).
func checksumOfBlock(block []byte) uint32 {
	c := crc32.Checksum(block, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
