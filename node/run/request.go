package run

import (
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
)

// Arg is an argument: a value, a reference, or a value with references in it.
// References are read where and when the stage runs.
type Arg struct {
	Value mesh.Value
	Ref   mesh.Reference // instead of Value where it is not zero
	Holes []mesh.Hole    // in Value, by ascending offset
}

// size is what an argument counts against the bound of bytes held.
func (a *Arg) size() int64 {
	const overhead = 64
	size := len(a.Value.Data) + len(a.Ref.Key.Namespace) + len(a.Ref.Key.Name) + overhead
	for i := range a.Holes {
		h := &a.Holes[i]
		size += len(h.Path) + len(h.Key.Namespace) + len(h.Key.Name) + overhead
	}
	return int64(size)
}

func sizeOf(args []Arg) (sum int64) {
	for i := range args {
		sum += args[i].size()
	}
	return sum
}

// Request asks for a run of a function, or of a DAG where DAG is not empty.
type Request struct {
	Func      mesh.FuncRef
	Args      []Arg  // of Func
	Namespace string // of DAG
	DAG       string
	StageArgs map[string][]Arg // of the DAG's stages; what is missing has none
	Options
}

// Options say how to run. The zero value waits for the result of a run that
// is placed by the default policy and named by the node.
type Options struct {
	// Future answers with the run's id at once; the result is kept for Await.
	Future bool
	// DryRun answers with the plan, and runs nothing.
	DryRun bool
	// Policy of placement; empty means the default.
	Policy string
	// Place binds stages to nodes. A single function's stage has its name.
	Place map[string]mesh.NodeID
	// ID names the run. A call with the id of a run that is known gives that
	// run, whatever else it asks for. Zero: the node draws one. A run with an
	// id goes on when its caller leaves, and costs two compare-and-sets of its
	// record, the second one before its end is told.
	ID mesh.RunID
	// Timeout of the run. Zero: the deadline of the caller's context, but
	// for a future, and else the node's default.
	Timeout time.Duration
	// Stage says how a function that is called alone runs: as a stage of a DAG would.
	// Nil: plainly.
	Stage *mesh.StageOptions
	// After is what is done with the result before it is told. Nil: nothing.
	After *After
	// Again says that the call was sent before: another node may be about to begin the run.
	Again bool
	// Work, of a call that a function makes, is what it and calls of the
	// same by other executions of that function have in common.
	Work effects.Work
	// Consistency of what the run reads.
	Consistency mesh.Consistency
	// In, of a call that a function makes, is the session of that function, in
	// which the run reads and writes, whatever its own Consistency.
	In mesh.Session
}

// After is what is done with the result of a run that succeeded: the value of
// its sole sink, or an object of those of all by stage.
type After struct {
	// Output is where it is stored, as a register. Empty: nowhere.
	Output mesh.Key
	// Then is a DAG, or else a function, that is run with it as the first
	// argument of each stage without parents. That run has the id Next of the
	// first one's. Empty: none.
	Then mesh.FuncRef
}

// named reports whether the caller drew the run's id.
func (o *Options) named() bool { return o.ID != mesh.RunID{} }

// kept reports whether the run's record goes to the store.
func (o *Options) kept() bool { return o.Future || o.named() }

// target is what the request runs, for people.
func (q *Request) target() string {
	if q.DAG == "" {
		return q.Func.String()
	}
	if q.Namespace == mesh.DefaultNamespace {
		return q.DAG
	}
	return q.Namespace + "/" + q.DAG
}

// StageResult is the result of one sink.
type StageResult struct {
	Stage string
	Value mesh.Value
}

// Reply answers a Request.
type Reply struct {
	ID      mesh.RunID
	Results []StageResult  // of the sinks, in the DAG's order; none of a future
	Plan    []PlannedStage // of a dry run
	Next    mesh.RunID     // the run that continues with the result
}
