package meshtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// History is what the functions and clients of a test read and wrote. Check
// finds in it what a level of consistency forbids: not by what the mesh says of
// itself, but by what its users saw. An empty History is ready for use; it is
// safe for concurrent use. Check takes up to 50,000 accesses.
//
// Functions read and write through Get, Put and Delete, clients through those of
// Client. The keys must be registers, all writes of them must be in the history, also
// the first, and no two may write the same value to a key: the values
// are how the versions of a key are told from one another. A text is its own version;
// of all else it is the JSON.
//
// A stage may be executed more than once in a run, as after the death of a node. By the
// causal levels its executions owe one another nothing, and, since it is not known which one's
// results they got, stages after it owe nothing to any of them. Reads of a run must be
// repeatable whichever execution made them, where the level promises that. A stage's retries
// on one node count as one execution. Of a run at mesh.Transactional that began anew, only what it
// did after that counts: what it did before was given up.
type History struct {
	lock    sync.Mutex
	clock   time.Duration // counts what began and what ended
	events  []check.Event
	writes  map[written]int // places in events
	earlier map[string][]string
	ended   map[string]check.Outcome // by run
}

type written struct{ key, version string }

// Get is fn.Get of the running function that ctx belongs to, and notes what it
// read. A missing key is noted, and is a NotFound error.
func (h *History) Get(ctx context.Context, key string, into any) error {
	e, err := invocation(ctx, key)
	if err != nil {
		return err
	}
	return h.read(e, into, func() error {
		state, err := fn.Read(ctx, key)
		if err != nil {
			return err
		}
		return fn.DecodePlain(state, into)
	})
}

// Argument notes the value of a key that the running function got by reference,
// in its arguments. Note it before anything else that the function reads or writes.
func (h *History) Argument(ctx context.Context, key string, value any) error {
	e, err := invocation(ctx, key)
	if err != nil {
		return err
	}
	return h.read(e, &value, func() error { return nil })
}

// Put is fn.Put of the running function that ctx belongs to, and notes what it
// wrote. A value that another wrote to the key before is an Invalid error, and is not written; the same
// stage of the same run may write it again, as after a failure.
func (h *History) Put(ctx context.Context, key string, value any) error {
	e, err := invocation(ctx, key)
	if err != nil {
		return err
	}
	return h.write(e, value, func() error { return fn.Put(ctx, key, value) })
}

// Delete is fn.Delete of the running function that ctx belongs to, and notes that.
func (h *History) Delete(ctx context.Context, key string) error {
	e, err := invocation(ctx, key)
	if err != nil {
		return err
	}
	return h.delete(e, func() error { return fn.Delete(ctx, key) })
}

// invocation begins an event of a running function.
func invocation(ctx context.Context, key string) (check.Event, error) {
	lib, err := fn.FromContext(ctx)
	if err != nil {
		return check.Event{}, err
	}
	return accessOf(lib.ID(), mesh.Key{Namespace: lib.Namespace(), Name: key}.String()), nil
}

func accessOf(id mesh.InvocationID, key string) check.Event {
	return check.Event{Run: id.Run.String(), Stage: id.Stage, Execution: fmt.Sprint(id.Node, " ", id.Attempt), Attempt: id.Attempt, Generation: id.Generation(), Key: key}
}

// read notes a read that gives what into points to.
func (h *History) read(e check.Event, into any, read func() error) error {
	e.Began = h.tick()
	err := read()
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return err
	}
	if err == nil {
		at := reflect.ValueOf(into)
		if at.Kind() != reflect.Pointer || at.IsNil() {
			return mesh.Errorf(mesh.Invalid, "history", "%T: expected a pointer to what a value is read into", into)
		}
		var invalid error
		if e.Version, invalid = versionOf(at.Elem().Interface()); invalid != nil {
			return invalid
		}
	}
	h.note(e)
	return err
}

// note adds a read that is over.
func (h *History) note(e check.Event) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if e.Began == 0 {
		e.Began = h.next()
	}
	e.Ended = h.next()
	h.events = append(h.events, e)
}

// write notes a write, which has no end until it is acknowledged.
func (h *History) write(e check.Event, value any, write func() error) (err error) {
	if e.Version, err = versionOf(value); err != nil {
		return err
	}
	at, err := h.beginWrite(e)
	if err != nil {
		return err
	}
	return h.endWrite(at, write())
}

func (h *History) delete(e check.Event, remove func() error) error {
	e.Deletes = true
	at, err := h.beginWrite(e)
	if err != nil {
		return err
	}
	return h.endWrite(at, remove())
}

// beginWrite gives the place of a write among the events.
func (h *History) beginWrite(e check.Event) (at int, err error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	e.Writes, e.Acked, e.Began = true, false, h.next()
	if e.Deletes { // a version that no read can have
		e.Version = deleted + e.Began.String()
	}
	of := written{e.Key, e.Version}
	if at, known := h.writes[of]; known {
		before := &h.events[at]
		if e.Run == "" || before.Run != e.Run || before.Stage != e.Stage {
			return 0, mesh.Errorf(mesh.Invalid, "history", "%s was written before (%s): expected a value of its own for each write of a key", e.Version, before)
		}
		switch {
		case before.Generation < e.Generation: // what it wrote before was given up
			*before = e
		case before.Execution != e.Execution: // it may be of either
			before.Execution += " or " + e.Execution
		}
		return at, nil
	}
	if h.writes == nil {
		h.writes = map[written]int{}
	}
	h.writes[of] = len(h.events)
	h.events = append(h.events, e)
	return len(h.events) - 1, nil
}

// deleted begins the versions of deletes.
const deleted = "\x00deleted at "

func (h *History) endWrite(at int, err error) error {
	if err == nil {
		h.lock.Lock()
		defer h.lock.Unlock()
		if e := &h.events[at]; !e.Acked {
			e.Acked, e.Ended = true, h.next()
		}
	}
	return err
}

func (h *History) tick() time.Duration {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.next()
}

// next is a moment after all before it. Virtual time would stand still.
func (h *History) next() time.Duration {
	h.clock++
	return h.clock
}

// versionOf is how a value tells versions apart.
func versionOf(value any) (string, error) {
	text, is := value.(string)
	if !is {
		raw, err := json.Marshal(value)
		if err != nil {
			return "", mesh.Errorf(mesh.Invalid, "history", "a %T cannot be told from others: %w", value, err)
		}
		text = string(raw)
	}
	if text == "" || strings.HasPrefix(text, deleted) {
		return "", mesh.Errorf(mesh.Invalid, "history", "%q cannot be told from a missing key: expected another text", text)
	}
	return text, nil
}

// Check gives what a level forbids and the history has: of each anomaly at most a
// hundred. What runs see is held against the level, so all of them must have
// asked for it, or for more. An error, Invalid, says that the accesses are no
// history: there are too many.
func (h *History) Check(level mesh.Consistency) ([]Violation, error) {
	if err := level.Validate(); err != nil {
		return nil, err
	}
	if run, left := h.withoutEnd(); left && level == mesh.Transactional {
		return nil, mesh.Errorf(mesh.Invalid, "history", "of run %s it is not known how it ended: expected Ended to be told of all runs at %s", run, level)
	}
	found, err := check.Check(h.forChecker(level), check.Forbidden(level)...)
	if err != nil {
		return nil, err
	}
	var violations []Violation
	for _, v := range found {
		if last := v.Events[len(v.Events)-1]; last.Session == "" || last.Writes || clients[v.Anomaly] {
			violations = append(violations, violationOf(v))
		}
	}
	return violations, nil
}

// clients are the anomalies that reads of clients can have.
var clients = map[check.Anomaly]bool{check.Unwritten: true, check.Lost: true, check.Torn: true}

// Require ends the test if the history has what a level forbids, and tells some of it.
func (h *History) Require(t testing.TB, level mesh.Consistency) {
	t.Helper()
	const most = 5
	found, err := h.Check(level)
	if err != nil {
		t.Fatalf("meshtest: %v", err)
	}
	var lines []string
	for _, v := range found[:min(len(found), most)] {
		lines = append(lines, v.String())
	}
	if len(found) > 0 {
		t.Fatalf("meshtest: %d times what %s forbids, such as\n%s", len(found), level, strings.Join(lines, "\n"))
	}
}
