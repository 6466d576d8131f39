package run

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/mesh/wire"
)

// Invocation is one execution of a function on this node.
type Invocation struct {
	ID   mesh.InvocationID
	Func mesh.FuncInfo
	Args []mesh.Value // the executor must not change or keep them
	Work effects.Work // from which its effects have their ids
	In   mesh.Session // in which it reads and writes
	// Meter takes what the execution waited for and read. Nil: it is not counted.
	Meter *Meter
}

// Executor runs functions on this node. An error that the function returned,
// or its panic, comes back as UserError. Invoke ends when its context does; a
// native function that ignores its context holds up whoever called it.
type Executor interface {
	Invoke(ctx context.Context, v Invocation) (mesh.Value, error)
}

// Catalog knows functions and DAGs; what it does not know is NotFound. The
// DAG is shared: it is not changed, and has been validated.
type Catalog interface {
	Function(ctx context.Context, ref mesh.FuncRef) (mesh.FuncInfo, error)
	DAG(ctx context.Context, namespace, name string) (*mesh.DAG, error)
}

// Peers reaches other nodes. Unavailable means that the node could not be
// reached; what the run lost with it then runs elsewhere.
type Peers interface {
	// Send hands over a message that is not answered. It may return before
	// the message has arrived, and keeps the order of messages to one node
	// or not.
	Send(ctx context.Context, to mesh.NodeID, m wire.Message) error
	// Call waits for the answer.
	Call(ctx context.Context, to mesh.NodeID, m wire.Message) (wire.Message, error)
	// CallUnlessSilent is Call, but Unavailable at once when nothing at all is
	// heard from the node for a moment: it may have died, or be held up.
	CallUnlessSilent(ctx context.Context, to mesh.NodeID, m wire.Message) (reply wire.Message, silent bool, err error)
}

// Placer decides which node runs each stage, given the nodes that live.
type Placer interface {
	Place(q PlaceRequest) ([]Placement, error)
}

// PlaceRequest is what a placement is asked for. The Placer must not keep it.
type PlaceRequest struct {
	Stages  []PlaceStage
	Policy  string                 // empty: the node's default
	Pins    map[string]mesh.NodeID // stage -> node, binding
	Without []mesh.NodeID          // nodes that this run has seen die
}

// PlaceStage is what the placement of a stage depends on.
type PlaceStage struct {
	Name     string
	Func     mesh.FuncInfo
	Parents  []int
	Refs     []mesh.Key
	Colocate string // group of stages that run on one node; empty: none
	Labels   map[string]string
	At       mesh.NodeID // where the stage is already, and stays; empty: it is to be placed
}

// Placement is where a stage runs, and why.
type Placement struct {
	Node mesh.NodeID
	Why  string
}

// References reads a key that is an argument, in a session, and tells whether
// it was on this node. A missing key is NotFound.
type References interface {
	Get(ctx context.Context, in mesh.Session, key mesh.Key) (v mesh.Value, here bool, err error)
}

// Sessions begins and ends the sessions of runs that are coordinated here, and
// keeps what those have seen that have something executed here.
type Sessions interface {
	Begin(level mesh.Consistency) (mesh.Session, error)
	End(mesh.Session)
	// Commit makes what a session at mesh.Transactional has written; from its
	// beginning on the session takes no writes. Conflict: nothing was made, for
	// what the session has read is no longer one moment. After another error it
	// may have been.
	Commit(ctx context.Context, in mesh.Session) error
	// Verify reports a Conflict where a session has read two versions of a key,
	// and Agrees whether it is known without waiting that it has not.
	Verify(ctx context.Context, in mesh.Session) error
	Agrees(in mesh.Session) bool
	// Again ends a session, wherever it has something, and begins another one at
	// this home, of the same level, which remembers what that one has read. It is
	// ended also where there is no other one for want of room.
	Again(ctx context.Context, in mesh.Session) (mesh.Session, error)
	// Retain has this node keep what it knows of a session, until Release.
	Retain(mesh.Session)
	Release(mesh.Session)
	// Past is what has to be seen by what a session executes elsewhere from
	// now on, and Learn takes it there; nil: nothing.
	Past(mesh.Session) []byte
	Learn(in mesh.Session, past []byte) error
	// Ask has the home of a session at mesh.Transactional decide first reads, where the run goes on from this node.
	Ask(in mesh.Session)
	// Share has a session go on where functions that a stage calls take part.
	Share(ctx context.Context, in mesh.Session) error
	// Settle tells the home of a session what it has read on this node, where no Past does.
	Settle(ctx context.Context, in mesh.Session) error
	// Deeper changes when a read has found what other reads have to see.
	Deeper(mesh.Session) uint64
}

// Outputs stores results under keys of their callers.
type Outputs interface {
	// Put sets a register. The same write comes with the same id.
	Put(ctx context.Context, key mesh.Key, v mesh.Value, id string) error
}

// Results keeps the records of runs where every node can read them.
type Results interface {
	// Save keeps the record for ttl, instead of an earlier one of the run.
	Save(ctx context.Context, id mesh.RunID, r Record, ttl time.Duration) error
	// Swap is Save on condition that the record has the version that was read;
	// empty: that there is none. It gives the version from then on. Conflict
	// changed nothing; after Unavailable the record may have been kept or not.
	Swap(ctx context.Context, id mesh.RunID, version string, r Record, ttl time.Duration) (now string, err error)
	// Load gives the latest record that was kept, and its version, or NotFound.
	Load(ctx context.Context, id mesh.RunID) (r Record, version string, err error)
}
