package run

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Await gives the record of a run: once the run is over or, with noWait, as
// it stands. Where this node does not coordinate the run, the record comes
// from the store and, while the run goes on, from its coordinator.
//
// Errors: NotFound for an id that is not known, or no longer; Unavailable when
// the run's coordinator is gone, DeadlineExceeded and Cancelled by the
// context. How the run itself failed is in the record.
func (r *Runs) Await(ctx context.Context, id mesh.RunID, noWait bool) (Record, error) {
	record, err := r.await(ctx, id, noWait)
	if err != nil {
		return Record{}, mesh.AsError("await run "+id.String(), err)
	}
	return record, nil
}

func (r *Runs) await(ctx context.Context, id mesh.RunID, noWait bool) (Record, error) {
	if c := r.known(id); c != nil {
		return c.await(ctx, noWait)
	}
	record, _, err := r.cfg.Results.Load(ctx, id)
	if err != nil || record.ended() {
		return record, err
	}
	if record.Coordinator == r.cfg.Self {
		return Record{}, mesh.Errorf(mesh.Unavailable, "", "the node no longer knows the run, which it coordinated before it restarted: call again with the run's id to begin it anew")
	}
	return r.ask(ctx, record.Coordinator, id, noWait)
}

func (c *coordination) await(ctx context.Context, noWait bool) (Record, error) {
	if noWait {
		return c.standing(), nil
	}
	select {
	case <-c.ended():
		return c.final()
	case <-ctx.Done():
		return Record{}, mesh.Errorf(mesh.KindOf(ctx.Err()), "", "the run goes on: %w", ctx.Err())
	}
}

// standing is the record of a run that is over only once its result is where
// it should be.
func (c *coordination) standing() Record {
	record := c.record()
	select {
	case <-c.ended():
	default:
		if record.ended() && (c.named || c.after != nil) {
			record.State, record.Results, record.Err = mesh.Running, nil, nil
		}
	}
	return record
}

// final is the record of a run that is over, or the error for which it was abandoned.
func (c *coordination) final() (Record, error) {
	record := c.record()
	if c.isRefused() {
		return Record{}, record.Err
	}
	return record, nil
}

// ask gets a run's record from its coordinator.
func (r *Runs) ask(ctx context.Context, coordinator mesh.NodeID, id mesh.RunID, noWait bool) (Record, error) {
	m, err := r.cfg.Peers.Call(ctx, coordinator, &pb.AwaitRun{RunId: id[:], NoWait: noWait})
	if err != nil {
		if mesh.KindOf(err) == mesh.Unavailable {
			return Record{}, mesh.Errorf(mesh.Unavailable, "", "the run's coordinator %s cannot be reached: call again with the run's id to begin it anew: %w", coordinator, err)
		}
		return Record{}, err
	}
	reply, ok := m.(*pb.AwaitRunReply)
	if !ok {
		return Record{}, mesh.Errorf(mesh.Internal, "", "node %s answered with %T: expected the record of a run", coordinator, m)
	}
	return ParseRecord(reply)
}

// Cancel ends a run with Cancelled, wherever it is coordinated. Cancelling a
// run that is over changes nothing. Errors: as Await.
func (r *Runs) Cancel(ctx context.Context, id mesh.RunID) error {
	if c := r.known(id); c != nil {
		c.fail(mesh.Errorf(mesh.Cancelled, "", "run %s was cancelled", id))
		return nil
	}
	record, _, err := r.cfg.Results.Load(ctx, id)
	switch {
	case err != nil:
	case record.ended():
	case record.Coordinator == r.cfg.Self:
		err = mesh.Errorf(mesh.Unavailable, "", "the node no longer knows the run, which it coordinated before it restarted")
	default:
		_, err = r.cfg.Peers.Call(ctx, record.Coordinator, &pb.CancelRun{RunId: id[:]})
	}
	if err != nil {
		return mesh.AsError("cancel run "+id.String(), err)
	}
	return nil
}
