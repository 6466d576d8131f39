package meshtest

import (
	"strings"

	"github.com/virga-mesh/virga/internal/check"
)

// Anomaly is a kind of what a level may forbid.
type Anomaly string

// The anomalies, and which levels forbid them.
const (
	// Unwritten: a read of what nobody wrote. All levels.
	Unwritten Anomaly = "unwritten read"
	// Lost: an acknowledged write that nothing replaced is not there in the end. All levels.
	Lost Anomaly = "lost write"
	// NonRepeatable: a run reads another version of a key than before, that it has not
	// written. Repeatable, Transactional.
	NonRepeatable Anomaly = "non-repeatable read"
	// StaleKey: a read that is older than what its run's earlier stages, or those whose
	// writes they read, saw of the key, if each key is looked at alone. CausalKey, CausalSession, Transactional.
	StaleKey Anomaly = "read older than the key's past"
	// StaleCut: a read that is older than what something depends on that its stage had
	// read before: on what the stage that wrote that had read. CausalCut, CausalSession, Transactional.
	StaleCut Anomaly = "read outside of the causal cut"
	// StaleSession: a read that is older than what its run's earlier stages saw, or than
	// what that depends on. CausalSession, Transactional.
	StaleSession Anomaly = "read older than the session's past"
	// NonMonotonic: a run or client reads an older version of a key than before. CausalSession, Transactional.
	NonMonotonic Anomaly = "non-monotonic read"
	// Overwritten: a run or client reads an older version of a key than it has written. CausalSession, Transactional.
	Overwritten Anomaly = "own write unseen"
	// Cycle: reads and writes of which each came before the next, and the last before the first. CausalSession, Transactional.
	Cycle Anomaly = "causal cycle"
	// Fractured: a run reads some of what another run wrote, or what depends on that, and of the
	// rest what was there before; in whatever order it reads. Transactional.
	Fractured Anomaly = "fractured read"
	// Torn: some of what a run wrote was read, and in the end a key has what was there before
	// another of its writes. Transactional.
	Torn Anomaly = "torn commit"
)

// Violation is one anomaly that was found.
type Violation struct {
	Anomaly Anomaly
	// Accesses have part in it: the last is the one that should not be.
	Accesses []Access
}

// String tells the accesses in order.
func (v Violation) String() string {
	told := make([]string, len(v.Accesses))
	for i, a := range v.Accesses {
		told[i] = a.String()
	}
	return string(v.Anomaly) + ": " + strings.Join(told, "; ")
}

func violationOf(v check.Violation) Violation {
	violation := Violation{Anomaly: Anomaly(v.Anomaly.String())}
	for _, e := range v.Events {
		a := Access{
			Run: e.Run, Stage: e.Stage, Key: e.Key, Version: e.Version,
			Writes: e.Writes, Deletes: e.Deletes, Unanswered: e.Writes && !e.Acked, Final: e.Final,
		}
		a.Session, _, _ = strings.Cut(e.Session, ofKey)
		if e.Deletes {
			a.Version = ""
		}
		violation.Accesses = append(violation.Accesses, a)
	}
	return violation
}
