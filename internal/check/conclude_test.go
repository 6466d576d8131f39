package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// transactions reads a story of runs at mesh.Transactional: run/stage, or
// run/stage/execution, or run/stage/execution/generation. A line "run ends", or "run
// ends with KIND", is that its call returns.
func transactions(t *testing.T, text string) []Event {
	t.Helper()
	outcomes := map[string]Outcome{}
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	for at, line := range lines {
		if words := strings.Fields(line); words[1] == "ends" {
			o := Outcome{At: time.Duration(2*at + 1)}
			if len(words) > 2 {
				o.Err = mesh.Errorf(map[string]mesh.ErrorKind{"Conflict": mesh.Conflict, "Unavailable": mesh.Unavailable}[words[3]], "", "the run failed")
			}
			outcomes[words[0]] = o
			lines[at] = "nobody r nothing"
		}
	}
	events := story(t, strings.Join(lines, "\n"))
	for i := range events {
		e := &events[i]
		if e.Run == "" {
			continue
		}
		e.Transaction = e.Run
		parts := append(strings.Split(e.Stage, "/"), "", "")
		e.Stage, e.Execution = parts[0], parts[1]
		fmt.Sscan(parts[2], &e.Generation)
	}
	return Conclude(events, outcomes)
}

// Each transaction reads what it replaces, so that it is known which came first.
const bothWritten = `
	a w x 0
	a w y 0
	T/1 r x 0
	T/1 r y 0
	T/1 w x 1
	T/2 w y 1
	`

func TestWhatTransactionsMustNotSeeIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  []Anomaly
	}{
		"all of it": {bothWritten + `T ends
			V/1 r x 1
			V/2 r y 1
			V ends
			a f x 1
			a f y 1`, nil},
		"nothing of it": {bothWritten + `T ends
			V/1 r x 0
			V/2 r y 0
			V ends
			a f x 1
			a f y 1`, nil},
		"the new, then the old": {bothWritten + `T ends
			V/1 r x 1
			V/1 r y 0
			V ends`, []Anomaly{StaleSession, Fractured}},
		"the old, then the new": {bothWritten + `T ends
			V/1 r x 0
			V/1 r y 1
			V ends`, []Anomaly{Fractured}},
		"the old, then the new, in stages beside one another": {bothWritten + `T ends
			V/1 r x 0
			V/2 r y 1
			V ends`, []Anomaly{Fractured}},
		"the old, then the new, of a run that did not succeed": {bothWritten + `T ends
			V/1 r x 0
			V/1 r y 1
			V ends with Conflict`, nil},
		"the new, then the old, of a run that did not succeed": {bothWritten + `T ends
			V/1 r x 1
			V/1 r y 0
			V ends with Conflict`, nil}, // it finds out when it ends
		"half of a run that nobody answered": {bothWritten + `
			V/1 r y 0
			V/1 r x 1
			V ends`, []Anomaly{Fractured}},
		"half through a third run": {bothWritten + `T ends
			U/1 r y 1
			U/1 w z 1
			U ends
			V/1 r z 1
			V/1 r x 0
			V ends`, []Anomaly{StaleSession, Fractured}},
		"half through a third run, the old first": {bothWritten + `T ends
			U/1 r y 1
			U/1 w z 1
			U ends
			V/1 r x 0
			V/1 r z 1
			V ends`, []Anomaly{Fractured}},
		"half through a third run, that read after it had written": {bothWritten + `T ends
			U/1 w z 1
			U/1 r y 1
			U ends
			V/1 r z 1
			V/1 r x 0
			V ends`, []Anomaly{StaleSession, Fractured}},
		"who is no transaction sees the writes one by one": {bothWritten + `T ends
			b r x 1
			b r y 0`, nil},
		"half through a client, of whom nobody knows what it saw": {bothWritten + `T ends
			V/1 r x 0
			V/1 r w 1
			V ends
			b w w 1`, nil},
		"what came after, though it was written before it was read": {bothWritten + `T ends
			U/1 w y 2
			U/1 r x 1
			U ends
			V/1 r x 1
			V/1 r y 2
			V/1 w z 1
			V ends
			W/1 r z 1
			W/1 r y 1
			W ends`, []Anomaly{StaleSession, Fractured}},
		"what came after": {bothWritten + `T ends
			U/1 r y 1
			U/1 w y 2
			U ends
			V/1 r x 1
			V/1 r y 2
			V ends`, nil},
		"before what was replaced since": {bothWritten + `T ends
			U/1 r y 1
			U/1 w y 2
			U ends
			V/1 r x 0
			V/1 r y 2
			V ends`, []Anomaly{Fractured}},
		"what it writes itself": {bothWritten + `T ends
			V/1 r x 1
			V/1 w y 3@9
			V/1 r y 3@9
			V ends`, nil},
		"a version that its run replaced": {`
			T/1 w x 1
			T/1 w x 2
			T ends
			V/1 r x 1
			V ends`, []Anomaly{StaleSession, Fractured}},
		"a key that the transaction deleted": {`
			a w x 0
			a w y 0
			T/1 r x 0
			T/1 d x gone
			T/1 w y 1
			T ends
			V/1 r x 0
			V/1 r y 1
			V ends`, []Anomaly{Fractured}},
		"two who read what the other writes in the end": {`
			T/1 w x 1
			U/1 w y 1
			T/1 r y 1
			U/1 r x 1
			T ends
			U ends`, []Anomaly{Cycle}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Check(transactions(t, c.story), Forbidden(mesh.Transactional)...)
			if err != nil {
				t.Fatal(err)
			}
			kinds := []Anomaly{}
			for _, v := range found {
				if v.Anomaly != StaleKey && v.Anomaly != StaleCut { // what is StaleSession may be those, too
					kinds = append(kinds, v.Anomaly)
				}
			}
			if kinds = slices.Compact(kinds); !slices.Equal(kinds, c.want) {
				t.Errorf("found %v: expected %v\n%v", kinds, c.want, found)
			}
		})
	}
}

func TestHowATransactionEndedSaysWhatItWrote(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  []Anomaly
	}{
		"it succeeded, and nothing is there": {bothWritten + `T ends
			a f x 0
			b f y 0`, []Anomaly{Lost}},
		"it succeeded, and half is there": {bothWritten + `T ends
			a f x 1
			b f y 0`, []Anomaly{Lost, Torn}},
		"it had not ended when a key was read last": {`
			a w x 0
			T/1 r x 0
			T/1 w x 1
			a f x 0
			T ends`, nil},
		"it was not answered, and nothing is there": {bothWritten + `
			a f x 0
			b f y 0`, nil},
		"it was not answered, and all is there": {bothWritten + `
			a f x 1
			b f y 1`, nil},
		"it was not answered, and half is there": {bothWritten + `
			a f x 1
			b f y 0`, []Anomaly{Torn}},
		"it failed, and the other half is there": {bothWritten + `T ends with Unavailable
			a f x 0
			b f y 1`, []Anomaly{Torn}},
		"half was seen, and then was gone": {bothWritten + `
			b r x 1
			b w x 2
			a f x 2
			b f y 0`, []Anomaly{Torn}},
		"half is there, and the rest was replaced": {bothWritten + `
			b r y 1
			b w y 2
			a f x 1
			b f y 2`, nil},
		"half is there, and the rest was written by others meanwhile": {bothWritten + `
			b w y 2
			a f x 1
			b f y 2`, nil},
		"what is deleted is still there": {`
			a w x 0
			T/1 r x 0
			T/1 d x gone
			T/1 w y 1
			a f x 0
			b f y 1`, []Anomaly{Torn}},
		"it conflicted, and its write was read": {`
			T/1 w x 1
			T/1 r x 1
			T ends with Conflict
			V/1 r x 1
			V ends`, []Anomaly{Unwritten}},
		"it conflicted, and read what it had written": {`
			T/1 w x 1
			T/1 r x 1
			T ends with Conflict
			a f x`, nil},
		"it began anew": {`
			a w x 0
			T/1/a/0 r x 0
			T/1/a/0 w x 1
			a w x 2
			T/1/b/1 r x 2
			T/1/b/1 w x 3
			T ends
			a f x 3`, nil},
		"it began anew, and what it wrote before was made": {`
			a w x 0
			T/1/a/0 w x 1
			T/1/b/1 w y 2
			T ends
			a f x 1
			b f y 2`, []Anomaly{Unwritten}},
		"it began anew, and what it wrote then is not there": {`
			a w x 0
			T/1/a/0 r x 0
			T/1/a/0 w x 1
			T/1/b/1 r x 0
			T/1/b/1 w x 2
			T ends
			a f x 0`, []Anomaly{Lost}},
		"one of two executions wrote": {`
			a w x 0
			a w y 0
			T/1/a r x 0
			T/1/a r y 0
			T/1/a w x 1
			T/1/b r x 0
			T/1/b r y 0
			T/1/b w y 2
			T ends
			a f x 1
			a f y 0`, nil},
		"a node that was taken for lost goes on after the end": {`
			a w x 0
			a w y 0
			T/1/a r x 0
			T/2/a r y 0
			T ends
			a w x 1
			T/2/b r x 1`, nil},
		"nor has what it wrote before what that reads in its past": {`
			a w x 0
			T/1/a r x 0
			T/1/a w y 1
			T ends
			a w x 2
			T/2/b r x 2
			V/1 r y 1
			V/1 r x 0
			V ends`, nil},
		"a write that was not answered": {`
			a w x 0
			a w y 0
			T/1 r x 0
			T/1 w? x 1
			T/1 w y 1
			T ends
			a f x 0
			b f y 1`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Check(transactions(t, c.story), Forbidden(mesh.Transactional)...)
			if err != nil {
				t.Fatal(err)
			}
			kinds := []Anomaly{}
			for _, v := range found {
				kinds = append(kinds, v.Anomaly)
			}
			if kinds = slices.Compact(kinds); !slices.Equal(kinds, c.want) && len(kinds)+len(c.want) > 0 {
				t.Errorf("found %v: expected %v\n%v", kinds, c.want, found)
			}
		})
	}
}
