package exec

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Go's linker leaves out runs of zeros, which makes tens of thousands of data
// segments of some bytes each; wazero evaluates the offset of each as an
// expression, whenever it loads a module and whenever it starts an instance.
const (
	// mergeGap is how many zeros may come between segments that become one.
	mergeGap = 32
	// fewSegments are not worth the work.
	fewSegments = 64

	dataSection      = 11
	dataCountSection = 12
	opI32Const       = 0x41
	opEnd            = 0x0b
)

// segment is bytes that the memory has at an offset as an instance starts.
type segment struct {
	offset uint32
	data   []byte
}

// mergeData gives a module that is the same but that its data segments are
// merged where little lies between them: memory is zero where none is. Where
// segments are of another form (WebAssembly core specification, 5.5.14),
// overlap, or have numbers that code may use, it gives wasm as it is.
func mergeData(wasm []byte) []byte {
	const header = len(wasmMagic) + len(coreVersion)
	for at := header; at < len(wasm); {
		size, n := binary.Uvarint(wasm[at+1:])
		if n <= 0 || size > uint64(len(wasm)-at-1-n) {
			return wasm
		}
		body := wasm[at+1+n:][:size]
		after := at + 1 + n + int(size)
		switch wasm[at] {
		case dataCountSection:
			return wasm
		case dataSection:
			segments, ok := readSegments(body)
			if !ok || len(segments) <= fewSegments {
				return wasm
			}
			merged, ok := mergeSegments(segments, len(body))
			if !ok {
				return wasm
			}
			out := make([]byte, 0, len(wasm)+len(body)+1<<20)
			return append(appendSegments(append(out, wasm[:at]...), merged), wasm[after:]...)
		}
		at = after
	}
	return wasm
}

// readSegments reads a data section of segments for the first memory at constant offsets.
func readSegments(body []byte) (segments []segment, ok bool) {
	count, n := binary.Uvarint(body)
	if n <= 0 || count > uint64(len(body)) {
		return nil, false
	}
	body = body[n:]
	segments = make([]segment, 0, count)
	for range count {
		if len(body) < 2 || body[0] != 0 || body[1] != opI32Const {
			return nil, false
		}
		offset, n := readI32(body[2:])
		if body = body[2+n:]; n == 0 || len(body) == 0 || body[0] != opEnd {
			return nil, false
		}
		size, n := binary.Uvarint(body[1:])
		if n <= 0 || size > uint64(len(body)-1-n) {
			return nil, false
		}
		segments = append(segments, segment{uint32(offset), body[1+n:][:size]})
		body = body[1+n+int(size):]
	}
	return segments, len(body) == 0
}

// readI32 reads a signed LEB128 number of at most 5 bytes, and how many it has; 0 if it is none.
func readI32(b []byte) (v int32, n int) {
	var bits uint64
	for shift := 0; n < len(b) && shift < 35; shift += 7 {
		c := b[n]
		n++
		bits |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				bits |= ^uint64(0) << (shift + 7)
			}
			return int32(bits), n
		}
	}
	return 0, 0
}

// mergeSegments groups segments that become one. It fails where segments
// overlap, and where zeros would make much more of the data than the section has.
func mergeSegments(segments []segment, section int) (groups [][]segment, ok bool) {
	byOffset := slices.Clone(segments)
	slices.SortFunc(byOffset, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(len(a.data), len(b.data)))
	})
	room, from := int64(section+1<<20), 0 // for zeros; where a group begins
	for i := 1; i < len(byOffset); i++ {
		gap := int64(byOffset[i].offset) - byOffset[i-1].end()
		switch {
		case gap < 0:
			return nil, false
		case gap > mergeGap:
			groups, from = append(groups, byOffset[from:i]), i
		default:
			if room -= gap; room < 0 {
				return nil, false
			}
		}
	}
	return append(groups, byOffset[from:]), true
}

func (s segment) end() int64 { return int64(s.offset) + int64(len(s.data)) }

// appendSegments appends a data section in which each group is a segment.
func appendSegments(dst []byte, groups [][]segment) []byte {
	size := 0
	for _, group := range groups {
		size += 16 + int(group[len(group)-1].end()-int64(group[0].offset))
	}
	body := binary.AppendUvarint(make([]byte, 0, size+binary.MaxVarintLen32), uint64(len(groups)))
	for _, group := range groups {
		at := int64(group[0].offset)
		body = appendI32(append(body, 0, opI32Const), int32(at))
		body = binary.AppendUvarint(append(body, opEnd), uint64(group[len(group)-1].end()-at))
		for _, s := range group {
			body = append(append(body, zeros[:int64(s.offset)-at]...), s.data...)
			at = s.end()
		}
	}
	dst = binary.AppendUvarint(append(dst, dataSection), uint64(len(body)))
	return append(dst, body...)
}

var zeros [mergeGap]byte

func appendI32(dst []byte, v int32) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(dst, c)
		}
		dst = append(dst, c|0x80)
	}
}
