package store

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/virga-mesh/virga/mesh"
)

// The index has a record for each cell, ordered by partition and id. Its
// value is the cell's digest, or nothing while the cell has changed since
// that was computed. It is written in the same batch as the cell.

const (
	indexPrefixSize = 1 + 2               // the kind of record and the partition
	indexHeadSize   = indexPrefixSize + 8 // and the start of the key's id
	digestSize      = 8
)

// appendIndexPrefix appends what the index records of a partition begin with.
func appendIndexPrefix(dst []byte, p mesh.Partition) []byte {
	return binary.BigEndian.AppendUint16(append(dst, indexRecord), uint16(p))
}

// appendIndexFrom appends the least key of an index record in a partition
// whose id is not before from.
func appendIndexFrom(dst []byte, p mesh.Partition, from uint64) []byte {
	return binary.BigEndian.AppendUint64(appendIndexPrefix(dst, p), from)
}

func appendIndexKey(dst []byte, key mesh.Key) []byte {
	id := key.ID()
	dst = append(appendIndexFrom(dst, id.Partition(), id.Prefix()), key.Namespace...)
	return append(append(dst, 0), key.Name...)
}

// partitionOfIndex reads the partition from an index record's key.
func partitionOfIndex(record []byte) mesh.Partition {
	return mesh.Partition(binary.BigEndian.Uint16(record[1:]))
}

// splitIndexKey reads what appendIndexKey writes.
func splitIndexKey(record []byte) (id uint64, key mesh.Key, err error) {
	if len(record) < indexHeadSize {
		return 0, mesh.Key{}, mesh.Errorf(mesh.Internal, "index", "record key of %d bytes: expected at least %d", len(record), indexHeadSize)
	}
	key, err = mesh.KeyFromPath(string(record[indexHeadSize:]))
	return binary.BigEndian.Uint64(record[indexPrefixSize:]), key, err
}

// cellOfIndex gives the key of the record of the cell that an index record,
// with a key made by appendIndexKey, is of.
func cellOfIndex(record []byte) []byte {
	return append([]byte{cellRecord}, record[indexHeadSize:]...)
}

// digestOf gives the digest of the record of a cell: of its key and its
// value, which is the cell's canonical encoding. It is the same on all nodes
// and in all runs: XXH64 of the key's length, the key and the value.
func digestOf(record, value []byte) uint64 {
	var length [binary.MaxVarintLen64]byte
	hash := xxhash.New()
	_, _ = hash.Write(length[:binary.PutUvarint(length[:], uint64(len(record)))])
	_, _ = hash.Write(record)
	_, _ = hash.Write(value)
	return hash.Sum64()
}

func appendDigest(dst []byte, digest uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, digest)
}

// decodeDigest reads the value of an index record; known is false if the cell
// changed since its digest was computed.
func decodeDigest(value []byte) (digest uint64, known bool) {
	if len(value) != digestSize {
		return 0, false
	}
	return binary.BigEndian.Uint64(value), true
}
