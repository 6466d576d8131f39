// Package witness is the stages of runs that tell what they read and wrote:
// what package nemesis holds against a level of consistency. Each result has
// in it what the stages before told, so that of a run that gave its result
// all is known: also which execution of a stage got the results of which, where
// one was executed more than once.
package witness

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Note is the argument and the result of a stage: first the stage's order,
// then what each of its parents gave.
type Note struct {
	Order Order
	Done  []Execution
}

// Order is what a stage is to do, one step after the other.
type Order struct {
	Run, Stage string // no slash in either
	Steps      []Step
}

// Step reads or writes a register.
type Step struct {
	Key    string
	Writes bool
}

// Execution is one of a stage, and what it did.
type Execution struct {
	Name  string   // of a stage, and of one of its executions
	Node  string   // that executed it
	After []string // executions that come before it
	Deeds []Deed
}

// Deed is a step that was taken. A read that failed is none.
type Deed struct {
	Key     string
	Writes  bool
	Version string // empty: the key was missing
	// Unix time, in ns. A write that was answered by an error has no end.
	Began, Ended int64
}

// Version is what an execution writes in a step: no other write has the same.
type Version struct {
	Run, Stage string
	Execution  string
	Step       int
}

// String is "run/stage/execution/step", which is the text that is written.
func (v Version) String() string {
	return strings.Join([]string{v.Run, v.Stage, v.Execution, strconv.Itoa(v.Step)}, "/")
}

// Name is that of the execution.
func (v Version) Name() string { return v.Stage + "#" + v.Execution }

// ParseVersion reads what String writes; false for any other text.
func ParseVersion(text string) (v Version, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return v, false
	}
	step, err := strconv.Atoi(parts[3])
	v = Version{parts[0], parts[1], parts[2], step}
	return v, err == nil && v.String() == text
}

// Do is the function of all stages. That a key cannot be read or written now
// is told in the result; any other error is the stage's.
func Do(ctx context.Context, in fn.Variadic[Note]) (Note, error) {
	if len(in) == 0 {
		return Note{}, mesh.Errorf(mesh.Invalid, "witness", "no arguments: expected an order first")
	}
	order := in[0].Order
	own := Version{Run: order.Run, Stage: order.Stage, Execution: strconv.FormatUint(uint64(rand.Uint32()), 16)}
	done := Execution{Name: own.Name(), Node: fn.ID(ctx).Node.String()}
	var all []Execution
	for _, parent := range in[1:] {
		for _, e := range parent.Done {
			if !slices.Contains(done.After, e.Name) { // by way of another parent
				done.After, all = append(done.After, e.Name), append(all, e)
			}
		}
	}
	for own.Step = range order.Steps {
		deed, err := take(ctx, order.Steps[own.Step], own.String())
		if err != nil && !passing(err) {
			return Note{}, err
		}
		if err == nil || deed.Writes {
			done.Deeds = append(done.Deeds, deed)
		}
	}
	return Note{Done: append(all, done)}, nil
}

// take takes a step; a write is of a version.
func take(ctx context.Context, step Step, version string) (d Deed, err error) {
	d = Deed{Key: step.Key, Writes: step.Writes, Began: time.Now().UnixNano()}
	if step.Writes {
		d.Version = version
		err = fn.Put(ctx, step.Key, version)
	} else if d.Version, err = fn.Get[string](ctx, step.Key); errors.Is(err, mesh.NotFound) {
		d.Version, err = "", nil
	}
	if err == nil {
		d.Ended = time.Now().UnixNano()
	}
	return d, err
}

// passing reports whether an error may come of a node that is away.
func passing(err error) bool {
	switch mesh.KindOf(err) {
	case mesh.Unavailable, mesh.DeadlineExceeded, mesh.Overloaded, mesh.Cancelled:
		return true
	}
	return false
}
