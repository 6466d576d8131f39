package lattice

import (
	"iter"
	"slices"
	"strings"
)

// CausalContext is the set of dots that a replica of a key has seen, dead or
// alive. Per writer it keeps spans of consecutive sequence numbers: what
// arrived without gaps is a single span, and each delta that is missing in
// between costs one more until it arrives (the compact form of Almeida, Shoker
// and Baquero, "Delta state replicated data types", 2018, with the dot cloud
// kept as spans too). Its zero value has seen nothing.
type CausalContext struct {
	writers []writerSpans // ascending by writer, none empty
	bytes   int
}

type writerSpans struct {
	writer string
	spans  []span // ascending, with a gap between any two
}

// span is the sequence numbers lo to hi, both included; 1 <= lo <= hi.
type span struct{ lo, hi uint64 }

const (
	writerSpansSize = 40
	spanSize        = 16
)

// NewCausalContext is a context of dots.
func NewCausalContext(dots ...Dot) *CausalContext {
	c := &CausalContext{}
	for _, dot := range dots {
		c.Add(dot)
	}
	return c
}

func (c *CausalContext) find(writer string) (int, bool) {
	return slices.BinarySearchFunc(c.writers, writer, func(w writerSpans, name string) int {
		return strings.Compare(w.writer, name)
	})
}

func (c *CausalContext) spansOf(writer string) []span {
	if i, found := c.find(writer); found {
		return c.writers[i].spans
	}
	return nil
}

// Contains reports whether dot has been seen.
func (c *CausalContext) Contains(dot Dot) bool {
	w := writerSpans{spans: c.spansOf(dot.Writer)}
	return w.contains(dot.Seq)
}

// contains reports whether a sequence number is in the spans.
func (w *writerSpans) contains(seq uint64) bool {
	i := firstEndingAt(w.spans, seq)
	return i < len(w.spans) && w.spans[i].lo <= seq
}

// firstEndingAt is the index of the first span that ends at seq or later.
func firstEndingAt(spans []span, seq uint64) int {
	i, _ := slices.BinarySearchFunc(spans, seq, func(s span, seq uint64) int {
		if s.hi < seq {
			return -1
		}
		return 1
	})
	return i
}

// Highest is the largest sequence number of writer that has been seen, or 0.
func (c *CausalContext) Highest(writer string) uint64 {
	if spans := c.spansOf(writer); len(spans) > 0 {
		return spans[len(spans)-1].hi
	}
	return 0
}

// Next is the dot of the next write of writer, given that this context holds
// all its earlier ones.
func (c *CausalContext) Next(writer string) Dot {
	return Dot{Writer: writer, Seq: saturatingAdd(c.Highest(writer), 1)}
}

// Add puts dot in and reports whether it was new. A dot with Seq 0 names nothing and is ignored.
func (c *CausalContext) Add(dot Dot) bool {
	return dot.Seq > 0 && c.addSpan(dot.Writer, span{dot.Seq, dot.Seq})
}

func (c *CausalContext) addSpan(writer string, s span) bool {
	i, found := c.find(writer)
	if !found {
		c.writers = slices.Insert(c.writers, i, writerSpans{writer, []span{s}})
		c.bytes += writerSpansSize + len(writer) + spanSize
		return true
	}
	w := &c.writers[i]
	before := len(w.spans)
	grew := w.add(s)
	c.bytes += spanSize * (len(w.spans) - before)
	return grew
}

// add unites s with the spans that it overlaps or touches.
func (w *writerSpans) add(s span) bool {
	from := firstEndingAt(w.spans, s.lo-1) // s.lo >= 1; a span that ends just before s touches it
	to := from
	for to < len(w.spans) && w.spans[to].lo-1 <= s.hi {
		to++
	}
	if to == from+1 && w.spans[from].lo <= s.lo && s.hi <= w.spans[from].hi {
		return false
	}
	if to > from {
		s.lo = min(s.lo, w.spans[from].lo)
		s.hi = max(s.hi, w.spans[to-1].hi)
	}
	w.spans = slices.Replace(w.spans, from, to, s)
	return true
}

// Dots gives every dot, ascending. There may be as many as 2^64 in a context
// that came from outside; ask Count first.
func (c *CausalContext) Dots() iter.Seq[Dot] {
	return func(yield func(Dot) bool) {
		for _, w := range c.writers {
			for _, s := range w.spans {
				for seq := s.lo; ; seq++ {
					if !yield(Dot{w.writer, seq}) {
						return
					}
					if seq == s.hi {
						break
					}
				}
			}
		}
	}
}

// Count is the number of dots, or the largest uint64 if there are more. It
// takes time in the number of spans.
func (c *CausalContext) Count() uint64 {
	var n uint64
	for _, w := range c.writers {
		for _, s := range w.spans {
			n = saturatingAdd(n, saturatingAdd(s.hi-s.lo, 1))
		}
	}
	return n
}

// Spans is the number of spans: the number of writers when nothing is missing.
func (c *CausalContext) Spans() int {
	n := 0
	for _, w := range c.writers {
		n += len(w.spans)
	}
	return n
}

// Merge is union.
func (c *CausalContext) Merge(other *CausalContext) (grew bool) {
	for _, w := range other.writers {
		for _, s := range w.spans {
			if c.addSpan(w.writer, s) {
				grew = true
			}
		}
	}
	return grew
}

// Compare orders by inclusion.
func (c *CausalContext) Compare(other *CausalContext) Order {
	return orderOf(c.within(other), other.within(c))
}

func (c *CausalContext) within(other *CausalContext) bool {
	for _, w := range c.writers {
		spans := other.spansOf(w.writer)
		for _, s := range w.spans {
			i := firstEndingAt(spans, s.hi)
			if i == len(spans) || spans[i].lo > s.lo {
				return false
			}
		}
	}
	return true
}

// Clone copies the context.
func (c *CausalContext) Clone() *CausalContext {
	out := &CausalContext{writers: slices.Clone(c.writers), bytes: c.bytes}
	for i := range out.writers {
		out.writers[i].spans = slices.Clone(out.writers[i].spans)
	}
	return out
}

// Size is the memory held.
func (c *CausalContext) Size() int { return 32 + c.bytes }

// AppendBinary appends each writer with its spans: the distance of each from
// the end of the one before, and its length less one.
func (c *CausalContext) AppendBinary(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(c.writers)))
	for _, w := range c.writers {
		dst = appendSpans(appendString(dst, w.writer), w.spans)
	}
	return dst
}

func appendSpans(dst []byte, spans []span) []byte {
	dst = appendUvarint(dst, uint64(len(spans)))
	var end uint64
	for _, s := range spans {
		dst = appendUvarint(appendUvarint(dst, s.lo-end), s.hi-s.lo)
		end = s.hi
	}
	return dst
}

// DecodeCausalContext reads what AppendBinary wrote, and nothing else; the error wraps
// ErrMalformed. It keeps nothing of b.
func DecodeCausalContext(b []byte) (*CausalContext, error) { return decodeWhole(b, decodeContext) }

func decodeContext(d *decoder) *CausalContext {
	c := &CausalContext{}
	var previous string
	for i := range d.count() {
		w := writerSpans{writer: d.str()}
		if !ascending(d, i, previous, w.writer) {
			return c
		}
		if w.spans = d.spans(d.count()); d.err != nil {
			return c
		}
		c.append(w)
		previous = w.writer
	}
	return c
}

// append adds a writer that is greater than all others.
func (c *CausalContext) append(w writerSpans) {
	c.writers = append(c.writers, w)
	c.bytes += writerSpansSize + len(w.writer) + spanSize*len(w.spans)
}

// spans reads n spans, at least one.
func (d *decoder) spans(n int) []span {
	if n == 0 {
		d.fail("a writer without spans")
		return nil
	}
	spans := make([]span, 0, n)
	var end uint64
	for i := range n {
		distance, length := d.uvarint(), d.uvarint()
		s := span{end + distance, end + distance + length}
		least := uint64(2)
		if i == 0 {
			least = 1
		}
		if distance < least || s.lo < end || s.hi < s.lo {
			d.fail("span %d overlaps, touches or overflows", i)
		}
		if d.err != nil {
			return nil
		}
		spans = append(spans, s)
		end = s.hi
	}
	return spans
}
