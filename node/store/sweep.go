package store

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// span is a range of record keys; end is not in it.
type span struct{ start, end []byte }

func (r span) contains(record []byte) bool {
	return bytes.Compare(r.start, record) <= 0 && bytes.Compare(record, r.end) < 0
}

// of gives the part of the span that lies in another; ok is false if none does.
func (r span) of(whole span) (part span, ok bool) {
	part = r
	if bytes.Compare(part.start, whole.start) < 0 {
		part.start = whole.start
	}
	if bytes.Compare(whole.end, part.end) < 0 {
		part.end = whole.end
	}
	return part, bytes.Compare(part.start, part.end) < 0
}

func (r span) overlaps(other span) bool {
	_, ok := r.of(other)
	return ok
}

// kind is the span of all records of a kind.
func kind(record byte) span { return span{[]byte{record}, []byte{record + 1}} }

// everything is the span of all records.
var everything = span{[]byte{cellRecord}, []byte{indexRecord + 1}}

// sweep reads the records of a span, and gives each to visit, until it meets
// one that cannot be read. Then found is true, and bad is a span that begins
// with the last record before it, if there is one, and ends before one that
// can be read; what lies between may be readable in part.
func (s *Store) sweep(ctx context.Context, in span, visit func(record, value []byte) error) (bad span, found bool, err error) {
	last := in.start
	err = s.eachRecord(ctx, in, func(record, value []byte) error {
		last = append(last[:0:0], record...)
		if visit != nil {
			return visit(record, value)
		}
		return nil
	})
	if !pebble.IsCorruptionError(err) {
		return span{}, false, err
	}
	end, err := s.firstReadable(ctx, span{last, in.end})
	return span{last, end}, err == nil, err
}

func (s *Store) eachRecord(ctx context.Context, in span, visit func(record, value []byte) error) error {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: in.start, UpperBound: in.end})
	if err != nil {
		return err
	}
	defer records.Close()
	for valid := records.First(); valid; valid = records.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := records.ValueAndErr()
		if err != nil {
			return err
		}
		if err := visit(records.Key(), value); err != nil {
			return err
		}
	}
	return records.Error()
}

// searchBytes is how far beyond what the ends of a span have in common a
// search looks at them.
const searchBytes = 4

// firstReadable gives a key in a span, whose start cannot be read, from which
// on reading works again, or the span's end. It halves the span, for the
// engine does not tell where its blocks begin.
func (s *Store) firstReadable(ctx context.Context, in span) ([]byte, error) {
	low, high := in.start, in.end
	for {
		middle := between(low, high)
		if middle == nil {
			return high, nil
		}
		switch ok, err := s.readableFrom(ctx, span{middle, in.end}); {
		case err != nil:
			return nil, err
		case ok:
			high = middle
		default:
			low = middle
		}
	}
}

// readableFrom reports whether the first record of a span can be read.
func (s *Store) readableFrom(ctx context.Context, in span) (bool, error) {
	records, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: in.start, UpperBound: in.end})
	if err == nil {
		if records.First() {
			_, err = records.ValueAndErr()
		}
		if iterErr := records.Error(); iterErr != nil {
			err = iterErr
		}
		_ = records.Close() // gives the same error
	}
	if pebble.IsCorruptionError(err) {
		return false, nil
	}
	return err == nil, err
}

// between gives a key about halfway between two, or nil if they are close.
func between(low, high []byte) []byte {
	same := 0
	for same < len(low) && same < len(high) && low[same] == high[same] {
		same++
	}
	size := same + searchBytes
	sum := make([]byte, size+1) // low + high, from the second byte on
	carry := 0
	for i := size - 1; i >= 0; i-- {
		carry += at(low, i) + at(high, i)
		sum[i+1] = byte(carry)
		carry >>= 8
	}
	sum[0] = byte(carry)
	middle := make([]byte, size)
	for i := range middle { // halved
		middle[i] = sum[i]<<7 | sum[i+1]>>1
	}
	if bytes.Compare(middle, low) <= 0 || bytes.Compare(middle, high) >= 0 {
		return nil
	}
	return middle
}

// at is a byte of a key, as if it went on with zeros.
func at(key []byte, i int) int {
	if i < len(key) {
		return int(key[i])
	}
	return 0
}
