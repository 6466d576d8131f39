package node

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/run"
)

// results keeps the records of runs in the replicated store, whose owners
// remove them when their time is up.
type results struct{ state *state }

func runKey(id mesh.RunID) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: "run/" + id.String()}
}

// Save implements run.Results.
func (r results) Save(ctx context.Context, id mesh.RunID, record run.Record, ttl time.Duration) error {
	payload, err := encodeRecord(&record)
	if err != nil {
		return err
	}
	return r.state.PutFor(ctx, runKey(id), lattice.LWWKind, lattice.SetOp(payload), ttl)
}

// Swap implements run.Results.
func (r results) Swap(ctx context.Context, id mesh.RunID, version string, record run.Record, ttl time.Duration) (string, error) {
	payload, err := encodeRecord(&record)
	if err != nil {
		return "", err
	}
	return r.state.Swap(ctx, runKey(id), version, payload, ttl)
}

func encodeRecord(record *run.Record) ([]byte, error) {
	encoded, err := proto.Marshal(record.Message())
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "keep run", "encode: %w", err)
	}
	return mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil), nil
}

// Load implements run.Results. While too many owners are away to tell the
// latest record, the one that can be found serves, without a version.
func (r results) Load(ctx context.Context, id mesh.RunID) (run.Record, string, error) {
	value, version, err := r.state.GetVersion(ctx, runKey(id))
	if errors.Is(err, mesh.Unavailable) {
		value, err = r.state.Get(ctx, runKey(id))
	}
	if errors.Is(err, mesh.NotFound) {
		return run.Record{}, "", mesh.Errorf(mesh.NotFound, "run "+id.String(), "no such run, or its result is no longer kept")
	}
	if err != nil {
		return run.Record{}, "", err
	}
	payload, err := registerValue(value)
	if err != nil {
		return run.Record{}, "", err
	}
	var m pb.AwaitRunReply
	if err := proto.Unmarshal(payload.Data, &m); err != nil {
		return run.Record{}, "", mesh.Errorf(mesh.Internal, "run "+id.String(), "stored record: %w", err)
	}
	record, err := run.ParseRecord(&m)
	return record, version, err
}
