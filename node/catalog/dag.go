package catalog

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// CreateDAG validates d, checks that its functions exist, and keeps it. A DAG
// of the same name is replaced.
func (c *Catalog) CreateDAG(ctx context.Context, d *mesh.DAG) error {
	if err := d.Validate(); err != nil {
		return err
	}
	for _, stage := range d.Stages {
		if _, err := c.Function(ctx, stage.Func); err != nil {
			e := *mesh.AsError("", err)
			e.Op, e.Stage = "dag "+d.Name, stage.Name
			e.Msg, e.Err = "function "+stage.Func.String()+": "+e.Text(), nil
			return &e
		}
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(wire.FromDAG(d))
	if err != nil {
		return mesh.Errorf(mesh.Internal, "dag "+d.Name, "encode: %w", err)
	}
	if err := c.state.Put(ctx, dagKey(d.Namespace, d.Name), lattice.LWWKind, lattice.SetOp(rawPayload(encoded))); err != nil {
		return err
	}
	return c.announce(ctx, d.Namespace, d.Name)
}

// DAG gives a DAG, which must not be changed.
func (c *Catalog) DAG(ctx context.Context, namespace, called string) (*mesh.DAG, error) {
	return recall(c, c.dags, name{namespace, called}, func() (*mesh.DAG, error) {
		value, err := c.state.Get(ctx, dagKey(namespace, called))
		if errors.Is(err, mesh.NotFound) {
			return nil, mesh.Errorf(mesh.NotFound, "dag "+called, "no such DAG")
		}
		if err != nil {
			return nil, err
		}
		return readDAG(value)
	})
}

// DAGs lists DAGs like Functions does functions.
func (c *Catalog) DAGs(ctx context.Context, namespace, prefix, after string, limit int) ([]*mesh.DAG, bool, error) {
	names, more, err := c.list(ctx, dagKind, namespace, prefix, after, limit)
	if err != nil {
		return nil, false, err
	}
	dags := make([]*mesh.DAG, 0, len(names))
	for _, n := range names {
		d, err := c.DAG(ctx, namespace, n)
		if errors.Is(err, mesh.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		dags = append(dags, d)
	}
	return dags, more, nil
}

// DeleteDAG removes a DAG. Its functions stay.
func (c *Catalog) DeleteDAG(ctx context.Context, namespace, called string) error {
	if _, err := c.DAG(ctx, namespace, called); err != nil {
		return err
	}
	if err := c.state.Delete(ctx, dagKey(namespace, called)); err != nil {
		return err
	}
	return c.announce(ctx, namespace, called)
}

func readDAG(value lattice.Value) (*mesh.DAG, error) {
	encoded, err := readPayload(value)
	if err != nil {
		return nil, err
	}
	var m pb.DAG
	if err := proto.Unmarshal(encoded, &m); err != nil {
		return nil, mesh.Errorf(mesh.Internal, "catalog", "stored DAG: %w", err)
	}
	return wire.ToDAG(&m)
}

func dagKey(namespace, called string) mesh.Key { return systemKey(dagKind, namespace, called) }

const dagKind = "dag"
