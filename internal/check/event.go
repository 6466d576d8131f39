package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Event is one read or one write of a key.
type Event struct {
	// Session is in whose past the event has others, such as a client with a
	// session token. Empty: that of its run.
	Session string
	Run     string // of which it is part; empty: none
	Stage   string // of the run, which is executed at one node
	// Ordered says that of the run's events only those of Stage and of Earlier,
	// the stages that come before it in the DAG, can be in the event's past.
	// Else all can that were over before it began.
	Ordered bool
	Earlier []string
	// Execution names one of the executions of the stage: what one of them did is
	// not in the past of another. Empty: there is one.
	Execution string
	// Attempt orders the executions of a stage: the higher is the later, whenever they ran.
	Attempt uint32
	// Generation is how often the run had begun anew before.
	Generation uint32
	// Transaction names those events that are of one moment: its reads are of one
	// cut, and its writes are seen together or not at all. Of a run at
	// mesh.Transactional it is the run, of all others none; see Conclude.
	Transaction string
	// Aborted says of a read of a transaction that the transaction is not known to
	// have succeeded, or that the stage was executed again: nothing was promised of it.
	Aborted bool
	// Repeated says of a read of a run that the stage was executed again, or the run
	// begun anew, whose reads are those of the run; or that the run has failed.
	Repeated bool
	Key      string
	Writes   bool
	Deletes  bool // of a write: it leaves the key missing
	// Version names what was written, or read. No two writes of a key have the
	// same. A read of a key that was missing has none.
	Version string
	// Stamp orders the versions of a key, where the system does so for its
	// users: the higher is the later. 0: it has none.
	Stamp uint64
	// Began and Ended are by one clock. A write that was never answered has no
	// end: it may take effect at any time.
	Began, Ended time.Duration
	Acked        bool // of a write: it was acknowledged
	// AckedAt is when, if that was later than the end: the writes of a transaction
	// end for their own run when they are kept, and for others when the run has succeeded.
	AckedAt time.Duration
	// Final says of a read that it came after all else had settled.
	Final bool
}

// String is "run/stage reads key = version".
func (e Event) String() string {
	who := e.Session
	if e.Run != "" {
		who = e.Run + "/" + e.Stage
	}
	verb, version := "reads", e.Version
	switch {
	case e.Deletes:
		verb = "deletes"
	case e.Writes:
		verb = "writes"
	case version == "":
		version = "nothing"
	}
	if version == "" {
		return fmt.Sprintf("%s %s %s", who, verb, e.Key)
	}
	return fmt.Sprintf("%s %s %s = %s", who, verb, e.Key, version)
}

// before reports whether e was over when other began.
func (e *Event) before(other *Event) bool { return e.Ended > 0 && e.Ended < other.Began }

// ackedBefore reports whether a write was acknowledged when other began.
func (e *Event) ackedBefore(other *Event) bool {
	return e.Acked && e.before(other) && e.AckedAt < other.Began
}

// follows reports whether other was over when e began, and comes before it also
// by the order of the run's stages.
func (e *Event) follows(other *Event) bool {
	if !other.before(e) {
		return false
	}
	if e.Run != other.Run {
		return true
	}
	if e.Stage == other.Stage && e.Execution != other.Execution {
		return false
	}
	return !e.Ordered || e.Stage == other.Stage || slices.Contains(e.Earlier, other.Stage)
}

// Anomaly is one kind of what a level may forbid.
type Anomaly uint8

// The kinds of anomalies.
const (
	// Unwritten: a read of what nobody wrote.
	Unwritten Anomaly = iota
	// Lost: an acknowledged write that nothing replaced is not there in the end.
	Lost
	// NonRepeatable: a run reads another version of a key than before, that it has not written.
	NonRepeatable
	// NonMonotonic: a session reads an older version of a key than before.
	NonMonotonic
	// Overwritten: a session reads an older version of a key than it has written.
	Overwritten
	// StaleKey: a read that is older than what the reader's past has of the key, if past is taken key by key.
	StaleKey
	// StaleCut: one that is older than the past of its stage, over all keys.
	StaleCut
	// StaleSession: one that is older than the past of its session, over all keys.
	StaleSession
	// Cycle: events of which each happened before the next, and the last before the first.
	Cycle
	// Fractured: a run sees some of what another run wrote, and not the rest. A
	// transaction must see the rest of what the other has done, and of what that depends
	// on, in whatever order it reads.
	Fractured
	// Torn: some of what a transaction wrote was seen, and in the end a key has what was before another of its writes.
	Torn
)

var anomalies = [...]string{
	Unwritten: "unwritten read", Lost: "lost write", NonRepeatable: "non-repeatable read", NonMonotonic: "non-monotonic read",
	Overwritten: "own write unseen", StaleKey: "read older than the key's past", StaleCut: "read outside of the causal cut",
	StaleSession: "read older than the session's past", Cycle: "causal cycle", Fractured: "fractured read", Torn: "torn commit",
}

func (a Anomaly) String() string {
	if int(a) < len(anomalies) {
		return anomalies[a]
	}
	return fmt.Sprintf("anomaly(%d)", uint8(a))
}

// Violation is one anomaly that was found.
type Violation struct {
	Anomaly Anomaly
	// Events have part in it: the last is the one that should not be.
	Events []Event
}

// String tells the events in order.
func (v Violation) String() string {
	text := v.Anomaly.String() + ":"
	for i, e := range v.Events {
		if i > 0 {
			text += ";"
		}
		text += " " + e.String()
	}
	return text
}

// MaxEvents bounds a history: what is kept of each event grows with all writes.
const MaxEvents = 50_000

// validate reports what is no history as mesh.Invalid.
func validate(events []Event) error {
	invalid := func(format string, args ...any) error { return mesh.Errorf(mesh.Invalid, "check", format, args...) }
	if len(events) > MaxEvents {
		return invalid("%d events: expected at most %d", len(events), MaxEvents)
	}
	type written struct{ key, version string }
	seen := map[written]bool{}
	for i, e := range events {
		switch {
		case e.Session == "" && e.Run == "":
			return invalid("event %d (%s) is of no session and no run", i, e)
		case e.Transaction != "" && e.Run == "":
			return invalid("event %d (%s) is of a transaction and of no run", i, e)
		case e.Ended != 0 && e.Ended < e.Began:
			return invalid("event %d (%s) ends before it begins", i, e)
		case e.Ended == 0 && !e.Writes:
			return invalid("event %d (%s) has no end: expected it of a read", i, e)
		case e.Writes && e.Version == "":
			return invalid("event %d (%s) has no version", i, e)
		case e.Writes && seen[written{e.Key, e.Version}]:
			return invalid("event %d (%s): the version was written before", i, e)
		case e.Writes:
			seen[written{e.Key, e.Version}] = true
		}
	}
	return nil
}
