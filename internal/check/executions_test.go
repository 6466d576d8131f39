package check

import (
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Whatever a stage's executions saw, they owe one another nothing, nor do those
// that come after them: which one's results they got is not known.
func TestExecutionsOfOneStageOweEachOtherNothing(t *testing.T) {
	history := func(second string) []Event {
		events := story(t, `
			a w x 1
			a w x 2
			r/1 r x 2
			r/1 r x 1
			r/2 r x 1`)
		for i := range events[2:] {
			e := &events[2+i]
			e.Ordered, e.Execution = true, "a"
			if e.Stage == "2" {
				e.Earlier = []string{"1"}
			}
		}
		events[3].Execution = second
		return Conclude(events, nil)
	}
	if found, err := Check(history("b"), NonMonotonic, StaleKey, StaleCut, StaleSession); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	_, counts, err := Tally(history("a"), NonMonotonic)
	if err != nil || counts[NonMonotonic] != 2 {
		t.Errorf("of one execution: %v, %v", counts, err)
	}
	if found, err := Check(history("b"), NonRepeatable); err != nil || len(found) > 0 {
		t.Errorf("what a stage read that was executed again counts: %v, %v", found, err)
	}
	last := history("b")
	last[4].Version = "2"
	if found, err := Check(last, NonRepeatable); err != nil || len(found) != 1 {
		t.Errorf("a run has reads in common with the last execution: %v, %v", found, err)
	}
}

// A run that is not transactional may begin anew, too: its reads are those of the
// last generation, and none if it has failed.
func TestReadsBeforeARunBeganAnewAreNotOfTheRun(t *testing.T) {
	history := func(generations ...uint32) []Event {
		var events []Event
		for i, generation := range generations {
			at := time.Duration(2 * i)
			events = append(events, Event{
				Run: "r", Stage: fmt.Sprint(i), Key: "x", Version: fmt.Sprint(i / 2), Generation: generation, Attempt: generation, Execution: fmt.Sprint(generation), Began: at + 1, Ended: at + 2,
			})
		}
		return events
	}
	for name, c := range map[string]struct {
		generations []uint32
		outcomes    map[string]Outcome
		want        int
	}{
		"one generation":                  {[]uint32{0, 0, 0, 0}, nil, 2},
		"two that agree each":             {[]uint32{0, 0, 1, 1}, nil, 0},
		"two of which the last does not":  {[]uint32{0, 1, 1, 1}, nil, 2},
		"two of which the first does not": {[]uint32{0, 0, 0, 1}, nil, 0},
		"one that succeeded":              {[]uint32{0, 0, 0, 0}, map[string]Outcome{"r": {At: 20}}, 2},
		"one that failed":                 {[]uint32{0, 0, 0, 0}, map[string]Outcome{"r": {At: 20, Err: mesh.Unavailable}}, 0},
	} {
		found, counts, err := Tally(Conclude(history(c.generations...), c.outcomes), NonRepeatable)
		if err != nil || counts[NonRepeatable] != c.want {
			t.Errorf("%s: %v, %v, want %d", name, found, err, c.want)
		}
	}
}
