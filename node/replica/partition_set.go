package replica

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/virga-mesh/virga/mesh"
)

// partitionSet is a set of partitions, a bit each. The zero value is empty.
type partitionSet [mesh.Partitions / 64]uint64

func (s *partitionSet) add(p mesh.Partition)      { s[p/64] |= 1 << (p % 64) }
func (s *partitionSet) remove(p mesh.Partition)   { s[p/64] &^= 1 << (p % 64) }
func (s *partitionSet) has(p mesh.Partition) bool { return s[p/64]&(1<<(p%64)) != 0 }

func (s *partitionSet) addAll(t *partitionSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s *partitionSet) removeAll(t *partitionSet) {
	for i := range s {
		s[i] &^= t[i]
	}
}

// minus gives what is in s and not in t.
func (s partitionSet) minus(t *partitionSet) partitionSet {
	s.removeAll(t)
	return s
}

func (s *partitionSet) len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// all gives the partitions in order.
func (s *partitionSet) all() iter.Seq[mesh.Partition] {
	return func(yield func(mesh.Partition) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(mesh.Partition(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// from gives the partitions in order, those before begin at the end.
func (s *partitionSet) from(begin mesh.Partition) iter.Seq[mesh.Partition] {
	return func(yield func(mesh.Partition) bool) {
		before := *s
		after := partitionSet{}
		for i := range s {
			switch first := mesh.Partition(i * 64); {
			case first >= begin:
				after[i], before[i] = s[i], 0
			case first+64 > begin:
				mask := ^uint64(0) << (begin - first)
				after[i], before[i] = s[i]&mask, s[i]&^mask
			}
		}
		for _, half := range []*partitionSet{&after, &before} {
			for p := range half.all() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// encode gives the set as it travels: a bit for each partition, 512 bytes.
func (s *partitionSet) encode() []byte {
	b := make([]byte, 0, len(s)*8)
	for _, word := range s {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func decodePartitionSet(b []byte) (s partitionSet, err error) {
	if len(b) != len(s)*8 {
		return s, mesh.Errorf(mesh.Invalid, "partitions", "a set of partitions has %d bytes: expected %d", len(b), len(s)*8)
	}
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	return s, nil
}

// backlogged are partitions, each with a digest. The zero value has none.
type backlogged struct {
	in      partitionSet
	digests map[mesh.Partition]uint64
}

func (b *backlogged) set(p mesh.Partition, digest uint64) {
	if b.digests == nil {
		b.digests = map[mesh.Partition]uint64{}
	}
	b.digests[p] = digest
	b.in.add(p)
}

func (b *backlogged) remove(p mesh.Partition) {
	delete(b.digests, p)
	b.in.remove(p)
}

// A partitionDigest tells of one partition what a node holds of it.
type partitionDigest struct {
	partition mesh.Partition
	digest    uint64
}

// digestSize is that of a partitionDigest as it travels, in bytes.
const digestSize = 10

func encodeDigests(digests []partitionDigest) []byte {
	b := make([]byte, 0, len(digests)*digestSize)
	for _, d := range digests {
		b = binary.BigEndian.AppendUint16(b, uint16(d.partition))
		b = binary.BigEndian.AppendUint64(b, d.digest)
	}
	return b
}

func decodeDigests(b []byte) ([]partitionDigest, error) {
	if len(b)%digestSize != 0 || len(b) > mesh.Partitions*digestSize {
		return nil, mesh.Errorf(mesh.Invalid, "digests", "%d bytes: expected up to %d times %d", len(b), mesh.Partitions, digestSize)
	}
	digests := make([]partitionDigest, 0, len(b)/digestSize)
	for ; len(b) > 0; b = b[digestSize:] {
		d := partitionDigest{mesh.Partition(binary.BigEndian.Uint16(b)), binary.BigEndian.Uint64(b[2:])}
		if d.partition >= mesh.Partitions {
			return nil, mesh.Errorf(mesh.Invalid, "digests", "partition %d: expected less than %d", d.partition, mesh.Partitions)
		}
		digests = append(digests, d)
	}
	return digests, nil
}
