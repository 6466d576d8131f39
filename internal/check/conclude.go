package check

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Outcome is how a run ended, as who called it was told.
type Outcome struct {
	At  time.Duration // when the call returned
	Err error         // nil: the run succeeded
}

// Conclude makes a history of what was recorded while runs were under way. Recorded
// writes of a transaction end when they are kept for it.
//
// They take effect when the transaction succeeds: they are acknowledged then. With a
// Conflict it wrote nothing. With any other error, or without an outcome, it wrote all of
// it or nothing, and nothing is promised of what it has read. What it did before it last
// began anew is dropped.
//
// A stage that was executed more than once comes before no other: which of its results
// the others got is not known. The reads of the run are those of the last one, of its last
// generation; of a run that is known to have failed none. In a
// transaction nothing is promised of what the others have read, nor of what a node goes
// on to read after the end, unaware that it was taken for lost; and it is not known which
// of the writes were made: each of those, and each that was not answered or answered after
// the end, stands alone, and need not be there.
func Conclude(events []Event, outcomes map[string]Outcome) []Event {
	c := &conclusion{outcomes: outcomes, last: map[string]uint32{}, executions: map[stageOf][]execution{}}
	for _, e := range events {
		c.last[e.Run] = max(c.last[e.Run], e.Generation)
	}
	for _, e := range events {
		if !c.over(&e) && !c.late(&e) {
			c.executes(&e)
		}
	}
	never := map[inRun]bool{}
	var history []Event
	for i, e := range events {
		if e.Transaction != "" && e.Writes && (c.over(&e) || errors.Is(outcomes[e.Transaction].Err, mesh.Conflict)) {
			never[inRun{e.Run, e.Key, e.Version}] = true
		} else if !c.over(&e) {
			history = append(history, c.conclude(e, i))
		}
	}
	return slices.DeleteFunc(history, func(e Event) bool { return !e.Writes && never[inRun{e.Run, e.Key, e.Version}] })
}

type stageOf struct{ run, stage string }

// inRun is a version of a key that a run wrote.
type inRun struct{ run, key, version string }

type conclusion struct {
	outcomes   map[string]Outcome
	last       map[string]uint32       // generation, by run
	executions map[stageOf][]execution // of the last generation, the last one of the stage at the end
}

type execution struct {
	name    string
	attempt uint32
}

// executes notes of which execution an event is.
func (c *conclusion) executes(e *Event) {
	at, one := stageOf{e.Run, e.Stage}, execution{e.Execution, e.Attempt}
	all := c.executions[at]
	if slices.Contains(all, one) {
		return
	}
	place := len(all)
	for place > 0 && all[place-1].attempt > one.attempt {
		place--
	}
	c.executions[at] = slices.Insert(all, place, one)
}

// late reports whether an event of a transaction began after that had succeeded.
func (c *conclusion) late(e *Event) bool {
	outcome, known := c.outcomes[e.Transaction]
	return e.Transaction != "" && known && outcome.Err == nil && e.Began > outcome.At
}

// over reports whether the transaction began anew after an event.
func (c *conclusion) over(e *Event) bool {
	return e.Transaction != "" && c.begunAnew(e)
}

func (c *conclusion) begunAnew(e *Event) bool { return e.Generation < c.last[e.Run] }

func (c *conclusion) failed(e *Event) bool {
	outcome, known := c.outcomes[e.Run]
	return known && outcome.Err != nil
}

func (c *conclusion) twice(run, stage string) bool { return len(c.executions[stageOf{run, stage}]) > 1 }

// wasRepeated reports whether the stage was executed again after the execution of an
// event. That one may go on, unaware that its node was taken for lost.
func (c *conclusion) wasRepeated(e *Event) bool {
	all := c.executions[stageOf{e.Run, e.Stage}]
	return len(all) > 0 && e.Execution != all[len(all)-1].name
}

// conclude says of an event what is known of it now; it is the ith.
func (c *conclusion) conclude(e Event, i int) Event {
	if e.Run != "" {
		e.Earlier = slices.DeleteFunc(slices.Clone(e.Earlier), func(stage string) bool { return c.twice(e.Run, stage) })
		e.Repeated = !e.Writes && (c.wasRepeated(&e) || c.begunAnew(&e) || c.failed(&e))
	}
	if e.Transaction == "" {
		return e
	}
	outcome, known := c.outcomes[e.Transaction]
	succeeded, twice := known && outcome.Err == nil, c.twice(e.Run, e.Stage)
	switch {
	case !e.Writes:
		late := c.late(&e)
		e.Aborted = !succeeded || late || twice && c.wasRepeated(&e)
		if twice || late {
			e.Transaction += "/" + e.Stage + "/" + e.Execution
		}
	case twice || e.Ended == 0 || succeeded && e.Ended > outcome.At:
		e.Acked = false
		e.Transaction += fmt.Sprintf("/%s/write %d", e.Stage, i)
	default:
		e.Acked = succeeded
		if succeeded {
			e.AckedAt = outcome.At
		}
	}
	return e
}
