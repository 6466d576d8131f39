package session

import (
	"encoding/binary"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/virga-mesh/virga/mesh"
)

// columns are the message Glances of the protocol: versions of keys, by the
// column.
type columns struct {
	keys     []mesh.Key
	versions []byte   // 8 of each
	holders  []byte   // varints, of reads
	pasts    [][]byte // of reads at mesh.Transactional: three of each that has a holder
	values   [][]byte // of what is unsaid
}

// The fields of Glances.
const (
	glancesKeys     protowire.Number = 1
	glancesVersions protowire.Number = 2
	glancesHolders  protowire.Number = 3
	glancesPasts    protowire.Number = 4
	glancesValues   protowire.Number = 5

	versionSize = 8
)

func (c *columns) grow(n int) {
	c.keys, c.versions, c.holders = make([]mesh.Key, 0, n), make([]byte, 0, n*versionSize), make([]byte, 0, n)
}

// reset empties the columns, to be used again.
func (c *columns) reset() {
	*c = columns{keys: c.keys[:0], versions: c.versions[:0], holders: c.holders[:0]}
}

func (c *columns) add(key mesh.Key, version uint64) {
	c.keys, c.versions = append(c.keys, key), binary.LittleEndian.AppendUint64(c.versions, version)
}

func (c *columns) version(i int) uint64 {
	return binary.LittleEndian.Uint64(c.versions[i*versionSize:])
}

// append appends the columns as a field of the message that they are in.
func (c *columns) append(raw []byte, field protowire.Number) []byte {
	size := sizeOfBytes(glancesVersions, len(c.versions)) + sizeOfBytes(glancesHolders, len(c.holders))
	for i := range c.keys {
		size += sizeOfBytes(glancesKeys, c.keyLen(i))
	}
	for _, past := range c.pasts {
		size += protowire.SizeTag(glancesPasts) + protowire.SizeBytes(len(past))
	}
	for _, value := range c.values {
		size += protowire.SizeTag(glancesValues) + protowire.SizeBytes(len(value))
	}
	if raw == nil {
		raw = make([]byte, 0, size+256) // what comes after it is little, mostly
	}
	raw = protowire.AppendVarint(protowire.AppendTag(raw, field, protowire.BytesType), uint64(size))
	for i, key := range c.keys {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, glancesKeys, protowire.BytesType), uint64(c.keyLen(i)))
		if !c.same(i) {
			raw = append(raw, key.Namespace...)
		}
		raw = append(append(raw, '/'), key.Name...)
	}
	if len(c.versions) > 0 {
		raw = appendBytes(raw, glancesVersions, c.versions)
	}
	if len(c.holders) > 0 {
		raw = appendBytes(raw, glancesHolders, c.holders)
	}
	for _, past := range c.pasts {
		raw = appendBytes(raw, glancesPasts, past)
	}
	for _, value := range c.values {
		raw = appendBytes(raw, glancesValues, value)
	}
	return raw
}

// same reports whether a key is of the namespace of the one before, which it then leaves out.
func (c *columns) same(i int) bool { return i > 0 && c.keys[i].Namespace == c.keys[i-1].Namespace }

func (c *columns) keyLen(i int) int {
	n := 1 + len(c.keys[i].Name)
	if !c.same(i) {
		n += len(c.keys[i].Namespace)
	}
	return n
}

func parseColumns(raw []byte) (c columns, err error) {
	text := string(raw) // of which names are parts
	c.keys = make([]mesh.Key, 0, 8)
	namespace := ""
	err = eachField(raw, func(f field) error {
		switch f.number {
		case glancesKeys:
			before, name, _ := strings.Cut(text[f.at:f.at+len(f.part)], "/")
			if before != "" {
				namespace = before
			}
			key := mesh.Key{Namespace: namespace, Name: name}
			c.keys = append(c.keys, key)
			return key.Validate()
		case glancesVersions:
			c.versions = append(c.versions, f.part...)
		case glancesHolders:
			c.holders = append(c.holders, f.part...)
		case glancesPasts:
			c.pasts = append(c.pasts, f.part)
		case glancesValues:
			c.values = append(c.values, f.part)
		}
		return nil
	})
	if err == nil && len(c.versions) != len(c.keys)*versionSize {
		err = mesh.Errorf(mesh.Invalid, "session", "versions of %d bytes of %d keys: expected %d of each", len(c.versions), len(c.keys), versionSize)
	}
	return c, err
}

// eachVersion visits the keys of columns with their versions.
func eachVersion(raw []byte, visit func(key mesh.Key, version uint64)) error {
	c, err := parseColumns(raw)
	if err != nil {
		return err
	}
	for i, key := range c.keys {
		visit(key, c.version(i))
	}
	return nil
}

// field is one of a message.
type field struct {
	number protowire.Number
	part   []byte // of a field of bytes, else nil
	at     int    // where that begins
	value  uint64 // of a varint
}

// eachField visits the fields of a message.
func eachField(raw []byte, visit func(f field) error) error {
	for at := 0; at < len(raw); {
		number, kind, n := protowire.ConsumeTag(raw[at:])
		if n < 0 {
			return mesh.Errorf(mesh.Invalid, "session", "%w", protowire.ParseError(n))
		}
		at += n
		f := field{number: number}
		switch kind {
		case protowire.BytesType:
			f.part, n = protowire.ConsumeBytes(raw[at:])
			f.at = at + n - len(f.part)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(raw[at:])
		default:
			n = protowire.ConsumeFieldValue(number, kind, raw[at:])
		}
		if n < 0 {
			return mesh.Errorf(mesh.Invalid, "session", "%w", protowire.ParseError(n))
		}
		if err := visit(f); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func appendBytes[B ~[]byte | ~string](raw []byte, field protowire.Number, part B) []byte {
	raw = protowire.AppendVarint(protowire.AppendTag(raw, field, protowire.BytesType), uint64(len(part)))
	return append(raw, part...)
}

// sizeOfBytes is how many bytes appendBytes takes; none for no bytes.
func sizeOfBytes(field protowire.Number, n int) int {
	if n == 0 {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}
