package node

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/session"
)

// state is the replicated store as the node itself uses it, for what it
// knows of functions, DAGs and runs: a read sees every acknowledged write,
// since it asks so many owners that one of them holds it. While too many
// owners of a key are away for that, what can be found serves: functions run
// and runs end, if perhaps with an older version.
type state struct {
	replica    *replica.Replica
	readQuorum int
	live       func() []mesh.NodeID
}

// Get implements catalog.State.
func (s *state) Get(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	value, err := s.replica.Get(ctx, key, min(s.readQuorum, len(s.live())))
	if errors.Is(err, mesh.Unavailable) {
		if found, err := s.replica.Get(ctx, key, 1); err == nil {
			return found, nil
		}
	}
	return value, err
}

// Find implements catalog.State.
func (s *state) Find(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	return s.replica.Get(ctx, key, 1)
}

// GetVersion implements trigger.State.
func (s *state) GetVersion(ctx context.Context, key mesh.Key) (lattice.Value, string, error) {
	quorum := uint32(min(s.readQuorum, len(s.live())))
	reply, err := s.replica.HandleGet(ctx, &pb.Get{Key: wire.FromKey(key), Quorum: quorum, Details: true})
	if err != nil {
		return lattice.Value{}, "", err
	}
	value, err := lattice.Decode(reply.Value)
	return value, reply.Version, err
}

// Swap implements trigger.State.
func (s *state) Swap(ctx context.Context, key mesh.Key, version string, payload []byte, ttl time.Duration) (string, error) {
	swap := replica.Swap{Version: version, Kind: lattice.LWWKind, Op: lattice.SetOp(payload)}
	swapped, err := s.replica.CompareAndSet(ctx, key, swap, replica.WriteOptions{TTL: ttl})
	if err == nil && swapped.Conflict {
		err = mesh.Errorf(mesh.Conflict, "set "+key.String(), "another node changed it")
	}
	return swapped.Version, err
}

// Put implements catalog.State.
func (s *state) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	_, err := s.replica.Put(ctx, key, kind, op, replica.WriteOptions{})
	return err
}

// PutForNow implements catalog.State.
func (s *state) PutForNow(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	return s.PutFor(ctx, key, kind, op, 0)
}

// PutFor puts and, unless ttl is 0, has the key expire after it. While too
// many owners are away any node may hold it.
func (s *state) PutFor(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op, ttl time.Duration) error {
	_, err := s.replica.Put(ctx, key, kind, op, replica.WriteOptions{TTL: ttl})
	if errors.Is(err, mesh.Unavailable) {
		_, err = s.replica.Put(ctx, key, kind, op, replica.WriteOptions{TTL: ttl, Quorum: 1})
	}
	return err
}

// PutOnce puts on behalf of a function. A write with an id takes effect once,
// however often it comes; age is how long ago it may have come first. Where
// nobody remembers that, it is made: what runs do is done at least once.
func (s *state) PutOnce(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op, id string, age time.Duration, causes *session.Causes) error {
	return caused(causes, replica.WriteOptions{ID: id, RetryAge: age, Insist: true}, func(o replica.WriteOptions) error {
		_, err := s.replica.Put(ctx, key, kind, op, o)
		return err
	})
}

// DeleteFor deletes on behalf of a function.
func (s *state) DeleteFor(ctx context.Context, key mesh.Key, causes *session.Causes) error {
	return caused(causes, replica.WriteOptions{}, func(o replica.WriteOptions) error {
		_, err := s.replica.Delete(ctx, key, o)
		return err
	})
}

// caused makes a write that tells its causes, if it has any, and notes which it was.
func caused(causes *session.Causes, o replica.WriteOptions, write func(replica.WriteOptions) error) error {
	if causes == nil {
		return write(o)
	}
	o.Causes, o.Untold, o.Wrote = &causes.Seen, causes.Untold, &replica.Wrote{}
	err := write(o)
	causes.Wrote = o.Wrote.Made()
	return err
}

// Delete implements catalog.State.
func (s *state) Delete(ctx context.Context, key mesh.Key) error { return s.DeleteFor(ctx, key, nil) }

// List implements catalog.State.
func (s *state) List(ctx context.Context, prefix, after string, limit int) ([]string, bool, error) {
	keys, more, err := s.replica.List(ctx, mesh.SystemNamespace, prefix, after, limit)
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = key.Name
	}
	return names, more, err
}
