package meshtest

import (
	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
)

// Access is one read or write of a key.
type Access struct {
	Session string // the name of the client; empty: it is a run's
	Run     string
	Stage   string // of the run
	Key     string // namespace/name
	Version string // what was read or written; empty: the key was missing, or is deleted
	Writes  bool
	Deletes bool // it is a write that leaves the key missing
	// Unanswered says of a write that nobody knows whether it took effect.
	Unanswered bool
	Final      bool // a read when all had settled
}

// String is "run/stage reads key = version".
func (a Access) String() string { return a.event().String() }

func (a Access) event() check.Event {
	return check.Event{
		Session: a.Session, Run: a.Run, Stage: a.Stage, Key: a.Key, Version: a.Version,
		Writes: a.Writes || a.Deletes, Deletes: a.Deletes, Final: a.Final,
	}
}

// Record adds accesses that were made by other means, each over before the next
// began. Those of one stage of a run count as of one execution. One that is of no run and no client, of no key, or a write of what was written before
// or of nothing, is Invalid, and those that follow are not added.
func (h *History) Record(accesses ...Access) error {
	for _, a := range accesses {
		e := a.event()
		if a.Session == "" && a.Run == "" || a.Key == "" || a.Writes && !a.Deletes && a.Version == "" {
			return mesh.Errorf(mesh.Invalid, "history", "%s: expected a run or a client, a key, and what is written", a)
		}
		if !e.Writes {
			h.note(e)
			continue
		}
		at, err := h.beginWrite(e)
		if err != nil {
			return err
		}
		if !a.Unanswered {
			_ = h.endWrite(at, nil) // gives what it is given
		}
	}
	return nil
}
