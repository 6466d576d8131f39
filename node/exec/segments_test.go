package exec

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// memoryOf is what segments make of a memory.
func memoryOf(t *testing.T, wasm []byte, size int) []byte {
	t.Helper()
	body := wasm[len(wasm)-len(sectionBody(t, wasm)):]
	segments, ok := readSegments(body)
	if !ok {
		t.Fatalf("the data section %x is malformed", body)
	}
	memory := make([]byte, size)
	for _, s := range segments {
		copy(memory[s.offset:], s.data)
	}
	return memory
}

// sectionBody is that of the data section of a module that has nothing else.
func sectionBody(t *testing.T, wasm []byte) []byte {
	t.Helper()
	rest := wasm[len(wasmMagic)+len(coreVersion):]
	if rest[0] != dataSection {
		t.Fatalf("section %d, expected the data section alone", rest[0])
	}
	for rest = rest[1:]; rest[0]&0x80 != 0; rest = rest[1:] {
	}
	return rest[1:]
}

func moduleOf(segments []segment) []byte {
	var groups [][]segment
	for _, s := range segments {
		groups = append(groups, []segment{s})
	}
	return appendSegments([]byte(wasmMagic+coreVersion), groups)
}

func TestMergedSegmentsMakeTheSameMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var segments []segment
		at := random.IntN(200_000)
		for range fewSegments + 1 + random.IntN(500) {
			data := make([]byte, random.IntN(40))
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			segments = append(segments, segment{uint32(at), data})
			at += len(data) + random.IntN(2*mergeGap)
		}
		random.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
		before := moduleOf(segments)
		after := mergeData(slices.Clone(before))
		if !bytes.Equal(memoryOf(t, before, at), memoryOf(t, after, at)) {
			t.Fatalf("%v became another memory", segments)
		}
		if merged, _ := readSegments(sectionBody(t, after)); len(merged) >= len(segments) {
			t.Errorf("%d segments became %d", len(segments), len(merged))
		}
	}
}

func TestSegmentsThatMayNotBeMergedStay(t *testing.T) {
	many := func(each int, change func(i int, s *segment)) []byte {
		segments := make([]segment, 2*fewSegments)
		for i := range segments {
			segments[i] = segment{uint32(each * i), []byte{1, 2, 3}}
			change(i, &segments[i])
		}
		return moduleOf(segments)
	}
	plain := many(8, func(int, *segment) {})
	if bytes.Equal(mergeData(plain), plain) {
		t.Fatal("what may be merged is not")
	}
	passive := slices.Clone(plain)
	passive[len(passive)-len(sectionBody(t, plain))+2] = 1 // after the count, of two bytes
	counted := slices.Insert(slices.Clone(plain), len(wasmMagic)+len(coreVersion), dataCountSection, 2, 0x80, 1)
	for what, wasm := range map[string][]byte{
		"segments that overlap":      many(8, func(i int, s *segment) { s.offset -= uint32(i % 2 * 7) }),
		"a passive segment":          passive,
		"segments that code numbers": counted,
		"few segments":               moduleOf([]segment{{0, []byte{1}}, {2, []byte{1}}}),
		"the end cut off":            plain[:len(plain)-1],
		"nothing":                    []byte(wasmMagic + coreVersion),
	} {
		if !bytes.Equal(mergeData(slices.Clone(wasm)), wasm) {
			t.Errorf("%s: the module was changed", what)
		}
	}
}

func TestOffsetsThereAndBack(t *testing.T) {
	for _, v := range []int32{0, 1, 63, 64, -1, -64, -65, 1 << 30, -1 << 31, 1<<31 - 1} {
		if got, n := readI32(append(appendI32(nil, v), 0xff)); got != v || n != len(appendI32(nil, v)) {
			t.Errorf("%d came back as %d of %d bytes", v, got, n)
		}
	}
}

func FuzzMergeData(f *testing.F) {
	f.Add(moduleOf([]segment{{1, []byte("a")}, {9, []byte("b")}}))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if len(wasm) >= len(wasmMagic)+len(coreVersion) {
			mergeData(wasm)
		}
	})
}
