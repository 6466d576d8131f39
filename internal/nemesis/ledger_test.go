package nemesis

import (
	"errors"
	"testing"
)

var (
	aSet      = Key{Kind: Set, Name: "a set"}
	aCounter  = Key{Kind: Counter, Name: "a counter"}
	aRegister = Key{Kind: Register, Name: "a register"}
)

// wrote is a ledger in which 1 and 2 were written to a key and acknowledged,
// and 3 was answered by an error.
func wrote(key Key) *ledger {
	l := newLedger()
	for value, err := range []error{1: nil, 2: nil, 3: errors.New("no answer")} {
		if value > 0 {
			l.attempt(key, value)
			l.done(key, value, err)
		}
	}
	return l
}

func TestTheLedgerSeesWhatMustNotBe(t *testing.T) {
	for _, c := range []struct {
		name string
		key  Key
		seen content
		want verdict
	}{
		{"all of a set", aSet, content{values: []int{1, 2}}, verdict{}},
		{"what was answered by an error, too", aSet, content{values: []int{1, 2, 3}}, verdict{}},
		{"a set that lacks an element", aSet, content{values: []int{2, 3}}, verdict{lost: 1}},
		{"a set that is missing", aSet, content{}, verdict{lost: 2}},
		{"an element that nobody added", aSet, content{values: []int{1, 2, 9}}, verdict{unwritten: 1}},
		{"a count", aCounter, content{count: 2}, verdict{}},
		{"a count of what was answered by an error, too", aCounter, content{count: 3}, verdict{}},
		{"a count that is too low", aCounter, content{count: 1}, verdict{lost: 1}},
		{"a count that is too high", aCounter, content{count: 5}, verdict{twice: 2}},
		{"the last value", aRegister, content{values: []int{2}}, verdict{}},
		{"the value since", aRegister, content{values: []int{3}}, verdict{}},
		{"an older value", aRegister, content{values: []int{1}}, verdict{lost: 1}},
		{"a register that is missing", aRegister, content{}, verdict{lost: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wrote(c.key).judge(c.key, c.seen); got != c.want {
				t.Errorf("%+v: want %+v", got, c.want)
			}
		})
	}
}

func TestWhatWasNeverWrittenMayBeMissing(t *testing.T) {
	for _, key := range []Key{aSet, aCounter, aRegister} {
		if v := newLedger().judge(key, content{}); v != (verdict{}) {
			t.Errorf("%s: %+v", key.Name, v)
		}
	}
}
