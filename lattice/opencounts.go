package lattice

import (
	"bytes"
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// openCount is the record of an increment: the total of its dot's writer
// includes the amount, for the write with the id.
type openCount struct {
	dot    Dot
	id     WriteID
	amount uint64
}

const openCountSize = dotSize + 24

// openCounts are the records of a counter, ascending by dot: a dotStore, of
// which joining a single record costs little. Of the records with one id that
// with the smallest dot counts; the amounts of the others are surplus.
type openCounts struct {
	records []openCount
	twice   int // how many are surplus
}

func (s openCounts) find(dot Dot) (int, bool) {
	return slices.BinarySearchFunc(s.records, dot, func(r openCount, dot Dot) int { return r.dot.Compare(dot) })
}

// of gives the bounds of a writer's records.
func (s openCounts) of(writer string) (from, to int) {
	from, _ = s.find(Dot{Writer: writer})
	for to = from; to < len(s.records) && s.records[to].dot.Writer == writer; {
		to++
	}
	return from, to
}

// knows reports whether there is a record with id.
func (s openCounts) knows(id WriteID) bool {
	return slices.ContainsFunc(s.records, func(r openCount) bool { return r.id == id })
}

// add puts in a record, whose dot is new.
func (s *openCounts) add(r openCount) {
	if s.knows(r.id) {
		s.twice++
	}
	at, _ := s.find(r.dot)
	s.records = slices.Insert(s.records, at, r)
}

// bury takes away what theirs has seen and other lacks, and reports whether there was any.
func (s *openCounts) bury(other openCounts, theirs *CausalContext) bool {
	before := len(s.records)
	for _, w := range theirs.writers {
		from, to := s.of(w.writer)
		live := slices.DeleteFunc(s.records[from:to:to], func(r openCount) bool { return w.contains(r.dot.Seq) && !other.has(r.dot) })
		if gone := to - from - len(live); gone > 0 {
			s.records = slices.Delete(s.records, to-gone, to)
		}
	}
	if len(s.records) == before {
		return false
	}
	s.recount()
	return true
}

// recount counts the surplus records, after some of them went.
func (s *openCounts) recount() {
	if s.twice > 0 {
		s.twice = 0
		for range s.surplus() {
			s.twice++
		}
	}
}

// surplus gives the records that do not count because another does.
func (s openCounts) surplus() iter.Seq[openCount] {
	return func(yield func(openCount) bool) {
		seen := make(map[WriteID]struct{}, len(s.records))
		for _, r := range s.records {
			if _, has := seen[r.id]; has && !yield(r) {
				return
			}
			seen[r.id] = struct{}{}
		}
	}
}

// excess is what the surplus records amount to, as 128 bits.
func (s openCounts) excess() (high, low uint64) {
	if s.twice == 0 {
		return 0, 0
	}
	for r := range s.surplus() {
		var carry uint64
		low, carry = bits.Add64(low, r.amount, 0)
		high += carry
	}
	return high, low
}

func (s openCounts) join(other openCounts, own, theirs *CausalContext) (openCounts, bool) {
	grew := s.bury(other, theirs)
	for _, r := range other.records {
		switch at, both := s.find(r.dot); {
		case both:
			grew = s.mergeAt(at, r) || grew
		case !own.Contains(r.dot):
			s.add(r)
			grew = true
		}
	}
	return s, grew
}

// mergeAt merges two records with one dot, which only a broken writer makes differ.
func (s *openCounts) mergeAt(at int, r openCount) bool {
	if s.records[at].compare(r) >= 0 {
		return false
	}
	s.records[at] = r
	s.twice = len(s.records)
	s.recount()
	return true
}

// compare orders records with one dot.
func (r openCount) compare(other openCount) int {
	return cmp.Or(bytes.Compare(r.id[:], other.id[:]), cmp.Compare(r.amount, other.amount))
}

func (s openCounts) atMost(other openCounts, own *CausalContext) bool {
	for _, r := range other.records {
		switch at, both := s.find(r.dot); {
		case both && s.records[at].compare(r) > 0, !both && own.Contains(r.dot):
			return false
		}
	}
	return true
}

func (s openCounts) live() iter.Seq[Dot] {
	return func(yield func(Dot) bool) {
		for _, r := range s.records {
			if !yield(r.dot) {
				return
			}
		}
	}
}

func (s openCounts) empty() bool { return len(s.records) == 0 }

func (s openCounts) has(dot Dot) bool {
	_, found := s.find(dot)
	return found
}

func (s openCounts) clone() openCounts {
	return openCounts{records: slices.Clone(s.records), twice: s.twice}
}

func (s openCounts) size() int { return openCountSize * len(s.records) }

// appendTo appends the number of the records, and each with its dot.
func (s openCounts) appendTo(dst []byte) []byte {
	dst = appendUvarint(dst, uint64(len(s.records)))
	for _, r := range s.records {
		dst = r.appendTo(appendString(dst, r.dot.Writer))
	}
	return dst
}

// appendTo appends a record without its writer.
func (r openCount) appendTo(dst []byte) []byte {
	return append(appendUvarint(appendUvarint(dst, r.dot.Seq), r.amount), r.id[:]...)
}
