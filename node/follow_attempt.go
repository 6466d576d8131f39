package node

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/elastic"
	"github.com/virga-mesh/virga/node/replica"
)

// attemptKey is where the last run of a hook is noted, by whichever node. Who
// is to run it changes the note first, by compare-and-set: so there is one at a
// time, whatever nodes believe of each other.
var attemptKey = mesh.Key{Namespace: mesh.SystemNamespace, Name: "nodes/hook"}

// notedAttempt is an attempt with the version of the note.
type notedAttempt struct {
	attempt elastic.Attempt
	version string
}

// readAttempt reads the last attempt: the zero value where there never was one.
func (f *follower) readAttempt(ctx context.Context) (notedAttempt, error) {
	r := f.rooms
	reply, err := r.replica.HandleGet(ctx, &pb.Get{
		Key: wire.FromKey(attemptKey), Quorum: uint32(min(r.state.readQuorum, len(r.live()))), Details: true,
	})
	if errors.Is(err, mesh.NotFound) {
		return notedAttempt{}, nil
	}
	if err != nil {
		return notedAttempt{}, err
	}
	value, err := lattice.Decode(reply.Value)
	if err != nil {
		return notedAttempt{}, mesh.Errorf(mesh.Internal, "read hook", "%w", err)
	}
	payload, err := registerValue(value)
	if err != nil {
		return notedAttempt{}, err
	}
	m := &pb.HookRun{}
	if err := proto.Unmarshal(payload.Data, m); err != nil {
		return notedAttempt{}, mesh.Errorf(mesh.Internal, "read hook", "%w", err)
	}
	return notedAttempt{toAttempt(m), reply.Version}, nil
}

// noteTimeout bounds how long it takes to note that a hook begins or has ended.
const noteTimeout = 2 * time.Second

// claim notes that this node runs the hook, and reports whether it may. When
// that cannot be told it may not, and what may be noted is taken back later.
func (f *follower) claim(a elastic.Attempt, before notedAttempt) bool {
	ctx, cancel := context.WithTimeout(f.ctx, noteTimeout)
	defer cancel()
	swapped, err := f.swap(ctx, a, before)
	if err != nil {
		f.unnoted.Store(a.Began)
		f.rooms.log.Warn("the hook is not run: it could not be noted", "action", string(a.Action), "err", err)
		return false
	}
	return !swapped.Conflict
}

// noteEnd notes that the hook of this node has ended, also while the node closes.
func (f *follower) noteEnd(a elastic.Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), noteTimeout)
	defer cancel()
	a.Ended = time.Now().UnixMilli()
	op, err := attemptOp(a)
	if err == nil {
		err = f.rooms.state.PutFor(ctx, attemptKey, lattice.LWWKind, op, 0)
	}
	if err != nil {
		f.unnoted.Store(a.Began)
		f.rooms.log.Warn("it could not be noted that the hook has ended", "err", err)
	}
}

// settle ends an attempt of this node that is noted as under way, and is not.
func (f *follower) settle(ctx context.Context, noted notedAttempt) {
	a := noted.attempt
	if a.Runner == f.rooms.self && a.Began == f.unnoted.Load() && a.Ended == 0 {
		a.Ended, a.Failed = time.Now().UnixMilli(), "its node could not note how it went"
		if _, err := f.swap(ctx, a, noted); err != nil {
			return // at the next look
		}
	}
	f.unnoted.Store(0)
}

func (f *follower) swap(ctx context.Context, a elastic.Attempt, before notedAttempt) (replica.Swapped, error) {
	op, err := attemptOp(a)
	if err != nil {
		return replica.Swapped{}, err
	}
	s := replica.Swap{Version: before.version, Kind: lattice.LWWKind, Op: op}
	return f.rooms.replica.CompareAndSet(ctx, attemptKey, s, replica.WriteOptions{})
}

func attemptOp(a elastic.Attempt) (lattice.Op, error) {
	encoded, err := proto.Marshal(fromAttempt(a))
	if err != nil {
		return lattice.Op{}, mesh.Errorf(mesh.Internal, "note hook", "%w", err)
	}
	return lattice.SetOp(mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil)), nil
}

func fromAttempt(a elastic.Attempt) *pb.HookRun {
	return &pb.HookRun{
		Runner: []byte(a.Runner), Action: string(a.Action), Node: []byte(a.Node), Live: uint32(a.Live), Wanted: uint32(a.Wanted),
		BeganUnixMs: a.Began, EndedUnixMs: a.Ended, Failed: a.Failed,
	}
}

func toAttempt(m *pb.HookRun) elastic.Attempt {
	return elastic.Attempt{
		Runner: mesh.NodeID(m.Runner), Action: elastic.Action(m.Action), Node: mesh.NodeID(m.Node), Live: int(m.Live), Wanted: int(m.Wanted),
		Began: m.BeganUnixMs, Ended: m.EndedUnixMs, Failed: m.Failed,
	}
}
