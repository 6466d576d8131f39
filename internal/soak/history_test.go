package soak

import (
	"strings"
	"testing"
)

// Each case is a history, told as steps, and what a fresh read after it, or
// beside its last step, may not give.
func TestTheOracleSeesWhatMustNotBe(t *testing.T) {
	for _, c := range []struct {
		name    string
		kind    Kind
		history string // put N, delete; with ! for what was answered by an error; settle
		seen    Seen
		stale   bool
		want    string // part of what it says; empty: all is well
	}{
		{"a value", Register, "put 1", Seen{Values: []int{1}}, false, ""},
		{"a lost put", Register, "put 1", Seen{Missing: true}, false, "missing"},
		{"a lost put at a stale owner", Register, "put 1", Seen{Missing: true}, true, "missing"},
		{"a deleted key at a stale owner", Register, "put 1, delete, put 2", Seen{Missing: true}, true, ""},
		{"an overwritten value", Register, "put 1, put 2", Seen{Values: []int{1}}, false, "overwritten"},
		{"an overwritten value at a stale owner", Register, "put 1, put 2", Seen{Values: []int{1}}, true, ""},
		{"what nobody wrote", Register, "put 1", Seen{Values: []int{9}}, true, "never written"},
		{"a put that failed, and took effect", Register, "put 1, put! 2", Seen{Values: []int{2}}, false, ""},
		{"a put that failed", Register, "put 1, put! 2", Seen{Values: []int{1}}, false, ""},
		{"a put that failed and comes back", Register, "put! 1, put 2", Seen{Values: []int{1}}, false, "overwritten"},
		{"a delete", Register, "put 1, delete", Seen{Missing: true}, false, ""},
		{"a resurrection", Register, "put 1, delete", Seen{Values: []int{1}}, false, "deleted"},
		{"a delete that failed", Register, "put 1, delete!", Seen{Values: []int{1}}, false, ""},
		{"a delete that failed, and took effect", Register, "put 1, delete!", Seen{Missing: true}, false, ""},
		{"a delete that takes effect late", Register, "put 1, delete!, put 2", Seen{Missing: true}, false, ""},
		{"a delete that takes effect too late", Register, "put 1, delete!, settle, put 2", Seen{Missing: true}, false, "missing"},
		{"what was put on a delete that takes effect late", Register, "put 1, delete!, put! 2, put 3", Seen{Values: []int{2}}, false, ""},
		{"the same when it was acknowledged", Register, "put 1, delete!, put 2, put 3", Seen{Values: []int{2}}, false, "overwritten"},
		{"the same when it is over", Register, "put 1, delete!, put! 2, settle, put 3", Seen{Values: []int{2}}, false, "overwritten"},
		{"a lost element", Set, "put 1, put 2", Seen{Values: []int{2}}, false, "lacks"},
		{"a deleted element", Set, "put 1, delete, put 2", Seen{Values: []int{1, 2}}, false, "deleted"},
		{"elements since a delete", Set, "put 1, delete, put 2, put! 3", Seen{Values: []int{2, 3}}, false, ""},
		{"a count", Counter, "put 1, put 2, put! 3", Seen{Count: 3}, false, ""},
		{"a lost increment", Counter, "put 1, put 2", Seen{Count: 1}, false, "counts 1"},
		{"one counted twice", Counter, "put 1, put! 2", Seen{Count: 3}, true, "counts 3"},
		{"a count since a delete", Counter, "put 1, delete, put 2", Seen{Count: 2}, false, "counts 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, tick := history(t, c.kind, c.history)
			err := h.Check(c.seen, tick+1, tick+2, !c.stale)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("the oracle says %v: want %q", err, c.want)
			}
		})
	}
}

func TestAReadMayMissWhatIsStillBeingWritten(t *testing.T) {
	h, tick := history(t, Register, "put 1")
	h.Begin(Step{Verb: Put, Value: 2}, tick+1, "put 2")
	for _, value := range []int{1, 2} {
		if err := h.Check(Seen{Values: []int{value}}, tick+2, tick+3, true); err != nil {
			t.Error(err)
		}
	}
}

// history plays a history, each step after the other, and gives the last tick.
func history(t *testing.T, kind Kind, told string) (*History, int) {
	t.Helper()
	h, tick := &History{kind: kind}, 0
	for step := range strings.SplitSeq(told, ", ") {
		tick += 2
		verb, value, _ := strings.Cut(step, " ")
		verb, failed := strings.CutSuffix(verb, "!")
		switch verb {
		case "settle":
			h.Settle(tick)
		case "put", "delete":
			s := Step{Verb: Verb(verb)}
			if value != "" {
				s.Value = int(value[0] - '0')
			}
			h.End(h.Begin(s, tick, step), tick+1, !failed)
		default:
			t.Fatalf("no step: %q", step)
		}
	}
	return h, tick + 1
}
