package txn

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// flight is a transaction that is being resolved, for all who want it to be.
type flight struct {
	swept   bool // began without anybody having read a write of the transaction
	settled step
	// Once it has settled; err nil: all is sealed, or there is no record.
	found bool
	err   error
}

// Resolve returns when all writes of a transaction are with most of their owners
// and sealed there, as is what has no record any more. Its home is waited for;
// where that is gone or does not know, this node completes the transaction.
//
// Errors: Unavailable, or those of ctx, where that cannot be had in time;
// Overloaded; Internal where the record is damaged (ErrDamaged).
func (t *Txns) Resolve(ctx context.Context, at lattice.Stamp) error {
	if at.Time == 0 {
		return nil
	}
	for {
		f, err := t.join(at, false)
		if err == nil {
			err = f.wait(ctx)
		}
		if err != nil || f.found || !f.swept {
			return err
		}
		// The sweep may have looked for the record before it was kept.
	}
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.settled:
		return f.err
	case <-ctx.Done():
		return mesh.AsError("resolve", ctx.Err())
	}
}

// join gives the flight of a transaction, which is begun if there is none: with
// asking its home, or, for the sweep, at once. It does not end with who began it.
func (t *Txns) join(at lattice.Stamp, sweeps bool) (*flight, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.flights[at]; f != nil {
		return f, nil
	}
	switch {
	case t.closed:
		return nil, errClosed()
	case len(t.flights) >= maxFlights:
		return nil, mesh.Errorf(mesh.Overloaded, "resolve", "%d transactions are being resolved: retry later", maxFlights)
	}
	f := &flight{swept: sweeps, settled: make(step)}
	t.flights[at] = f
	t.work.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, t.Patience+t.Linger)
		defer cancel()
		t.resolve(ctx, at, f)
	})
	return f, nil
}

// resolve settles a flight, and drops the record of what it has completed. So
// long others who come find it settled.
func (t *Txns) resolve(ctx context.Context, at lattice.Stamp, f *flight) {
	if !f.swept && t.awaited(ctx, at) {
		t.land(at, f)
		return
	}
	select {
	case t.atHand <- struct{}{}:
		defer func() { <-t.atHand }()
	case <-ctx.Done():
		f.err = unresolved(ctx.Err())
		t.land(at, f)
		return
	}
	m, err := t.complete(ctx, at)
	if f.found, f.err = m != nil, err; err != nil || m == nil {
		t.land(at, f)
		return
	}
	close(f.settled)
	if err := m.drop(ctx); err != nil {
		t.Log.Info("a transaction was completed, and its record is still there", "at", at.String(), "err", err)
	}
	t.forget(at)
}

// land ends a flight. Who comes later begins another.
func (t *Txns) land(at lattice.Stamp, f *flight) {
	t.forget(at)
	close(f.settled)
}

func (t *Txns) forget(at lattice.Stamp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.flights, at)
}

// awaited reports whether the home of a transaction says that all of it is sealed.
func (t *Txns) awaited(ctx context.Context, at lattice.Stamp) bool {
	ctx, cancel := context.WithTimeout(ctx, t.Patience)
	defer cancel()
	home := mesh.NodeID(at.Node)
	if home == t.Self {
		sealed, err := t.isSealed(ctx, at)
		return err == nil && sealed
	}
	if home == "" || !t.Live(home) {
		return false
	}
	m, err := t.Peers.Call(ctx, home, &pb.AwaitCommit{Time: at.Time})
	if err != nil {
		t.Log.Debug("the home of a transaction does not answer", "home", home.Short(), "err", err)
		return false
	}
	reply, ok := m.(*pb.AwaitCommitReply)
	return ok && reply.Known
}

// isSealed waits for a transaction of which this node is the home, if it is
// under way here, and reports whether it was sealed.
func (t *Txns) isSealed(ctx context.Context, at lattice.Stamp) (bool, error) {
	t.mu.Lock()
	c := t.commits[at]
	t.mu.Unlock()
	if c == nil {
		return false, nil
	}
	select {
	case <-c.sealed:
	case <-c.ended:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return c.sealed.taken(), nil
}

// HandleAwaitCommit answers a node that has read a write of this home that is not sealed.
func (t *Txns) HandleAwaitCommit(ctx context.Context, _ mesh.NodeID, m *pb.AwaitCommit) (*pb.AwaitCommitReply, error) {
	if m.Time == 0 {
		return nil, mesh.Errorf(mesh.Invalid, "await commit", "no time is told: expected that of the transaction")
	}
	ctx, cancel := context.WithTimeout(ctx, t.Linger)
	defer cancel()
	sealed, err := t.isSealed(ctx, lattice.Stamp{Time: m.Time, Node: string(t.Self)})
	if err != nil {
		return nil, mesh.AsError("await commit", err)
	}
	return &pb.AwaitCommitReply{Known: sealed}, nil
}

// complete carries a transaction through by its record, up to where all is
// sealed. Where there is none it is through, and m is nil.
func (t *Txns) complete(ctx context.Context, at lattice.Stamp) (m *making, err error) {
	m = &making{record: &record{at: at}, t: t}
	var encoded []byte
	found := false
	err = m.persist(ctx, func(ctx context.Context) (err error) {
		encoded, found, err = t.Store.Record(ctx, at)
		return err
	})
	if err != nil {
		return nil, unresolved(err)
	}
	if !found {
		return nil, nil
	}
	if m.record, err = decodeRecord(encoded, at); err != nil {
		return nil, err
	}
	// What was read may be kept by fewer owners than most, as by a home that died of it.
	if err := m.keep(ctx); err != nil {
		return nil, unresolved(err)
	}
	made, err := m.write(ctx)
	if err == nil {
		err = m.seal(ctx, made)
	}
	if err != nil {
		return nil, unresolved(err)
	}
	return m, nil
}

func unresolved(err error) error {
	return mesh.Errorf(mesh.Unavailable, "resolve", "the transaction could not be completed in time: %w", err)
}
