package replica

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleGet answers a client or another node.
func (r *Replica) HandleGet(ctx context.Context, m *pb.Get) (*pb.GetReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	if m.Cell {
		return r.getForSession(ctx, key, m)
	}
	cell, err := r.getCell(ctx, key, int(m.Quorum))
	if err != nil {
		return nil, err
	}
	value, err := r.valueOf(ctx, key, cell, int(m.Quorum))
	if err != nil {
		return nil, err
	}
	reply := &pb.GetReply{Value: value.AppendBinary(nil), Owners: r.ownersToTell(r.owners(key)), Readers: r.readersToTell(key)}
	if m.Details {
		detail(reply, cell)
	}
	return reply, nil
}

// HandlePut answers a client, or a node that owns no copy of the key.
func (r *Replica) HandlePut(ctx context.Context, m *pb.Put) (*pb.PutReply, error) {
	c, o, err := changeOf(m)
	if err != nil {
		return nil, err
	}
	ack, err := r.change(ctx, c, o)
	if reply := asTooLate(err); reply != nil {
		return reply, nil
	}
	if err != nil {
		return nil, err
	}
	return telling(r.putReply(r.owners(c.key), ack), o), nil
}

// changeOf reads what a put asks for.
func changeOf(m *pb.Put) (c change, o WriteOptions, err error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return c, o, err
	}
	op, err := lattice.DecodeOp(m.Op)
	if err != nil {
		return c, o, mesh.Errorf(mesh.Invalid, "put "+key.String(), "%w", err)
	}
	kind := lattice.Kind(min(m.Kind, 255))
	if !kind.Valid() {
		return c, o, mesh.Errorf(mesh.Invalid, "put "+key.String(), "kind %d: expected a kind of lattice", m.Kind)
	}
	d, err := toDurability(m.Durability)
	if err != nil {
		return c, o, err
	}
	after, err := decodeAfter(m.After)
	if err != nil {
		return c, o, err
	}
	causes, wrote, err := decodeCauses(m.Causes)
	if err != nil {
		return c, o, err
	}
	at, err := decodeAt(m.AtTime, m.AtNode, m.Forwarded)
	if err != nil {
		return c, o, err
	}
	made, tells := making(m.TellBytes)
	o = WriteOptions{
		Causes: causes, Untold: m.CausesUntold, Wrote: wrote,
		At: at, Sealed: m.Sealed, StampAfter: m.StampAfter, StampBy: m.StampBy,
		Quorum: int(m.WriteQuorum), Durability: d, ID: string(m.WriteId), TTL: fromMillis(m.TtlMs), Behind: m.Behind, Forwarded: m.Forwarded,
		RetryAge: toRetryAge(m.RetryAgeMs), Insist: m.Insist,
		After: after, AfterMost: m.AfterMost, Made: made, TellBytes: tells,
	}
	return o.put(key, kind, op), o, nil
}

// HandleTouch answers a client, or a node that owns no copy of the key.
func (r *Replica) HandleTouch(ctx context.Context, m *pb.Touch) (*pb.PutReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	d, err := toDurability(m.Durability)
	if err != nil {
		return nil, err
	}
	ack, err := r.Touch(ctx, key, WriteOptions{
		Quorum: int(m.WriteQuorum), Durability: d, ID: string(m.WriteId), TTL: fromMillis(m.TtlMs), Forwarded: m.Forwarded,
	})
	if err != nil {
		return nil, err
	}
	return r.putReply(r.owners(key), ack), nil
}

// HandleDelete answers a client, or a node that owns no copy of the key.
func (r *Replica) HandleDelete(ctx context.Context, m *pb.Delete) (*pb.PutReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	d, err := toDurability(m.Durability)
	if err != nil {
		return nil, err
	}
	after, err := decodeAfter(m.After)
	if err != nil {
		return nil, err
	}
	causes, wrote, err := decodeCauses(m.Causes)
	if err != nil {
		return nil, err
	}
	at, err := decodeAt(m.AtTime, m.AtNode, m.Forwarded)
	if err != nil {
		return nil, err
	}
	made, tells := making(m.TellBytes)
	o := WriteOptions{
		Quorum: int(m.WriteQuorum), Durability: d, ID: string(m.WriteId), RetryAge: toRetryAge(m.RetryAgeMs), Behind: m.Behind, Forwarded: m.Forwarded,
		After: after, AfterMost: m.AfterMost, Made: made, TellBytes: tells, Causes: causes, Untold: m.CausesUntold, Wrote: wrote,
		At: at, Sealed: m.Sealed, StampAfter: m.StampAfter, StampBy: m.StampBy,
	}
	ack, err := r.Delete(ctx, key, o)
	if reply := asTooLate(err); reply != nil {
		return reply, nil
	}
	if err != nil {
		return nil, err
	}
	return telling(r.putReply(r.owners(key), ack), o), nil
}

// HandleList answers a client for the whole mesh, or another node for this node's own copies.
func (r *Replica) HandleList(ctx context.Context, m *pb.List) (*pb.ListReply, error) {
	list := r.List
	if m.Local {
		if err := r.home("list"); err != nil {
			return nil, err
		}
		list = r.Local.List
	}
	limit, err := listLimit(m.Namespace, int(min(m.Limit, MaxListLimit+1)))
	if err != nil {
		return nil, err
	}
	keys, more, err := list(ctx, m.Namespace, m.Prefix, m.After, limit)
	if err != nil {
		return nil, err
	}
	reply := &pb.ListReply{More: more}
	for _, k := range keys {
		reply.Keys = append(reply.Keys, &pb.ListedKey{Name: k.Name, Kind: uint32(k.Kind), Size: uint64(k.Size)})
	}
	return reply, nil
}

// HandleFetch gives this node's own copy to another node, with what it has yet
// to take over from others, and notes if that wants to be told of changes from
// now on. A node that owns the key no more says so.
func (r *Replica) HandleFetch(ctx context.Context, from mesh.NodeID, m *pb.Fetch) (*pb.FetchReply, error) {
	key, err := wire.ToStoredKey(m.Key)
	if err != nil {
		return nil, err
	}
	if m.Subscribe {
		r.countRead(key, true)
	}
	reply := &pb.FetchReply{}
	if m.Subscribe && r.Subscriptions != nil && r.Placement.Owns(key, r.Replicas) {
		// Before the copy is read, so that no change falls between.
		session, lease := r.Subscriptions.Subscribe(from, key)
		reply.Session, reply.LeaseMs = session, uint32(lease/time.Millisecond)
	}
	a := r.own(ctx, key, depthOf(m))
	if a.err != nil {
		return nil, a.err
	}
	if a.found {
		reply.Cell = a.cell.AppendBinary(nil)
	}
	reply.NotOwner, reply.Unsettled = a.notOwner, !a.settled
	for _, owner := range a.owners {
		reply.Owners = append(reply.Owners, []byte(owner))
	}
	return reply, nil
}

func depthOf(m *pb.Fetch) depth {
	switch {
	case m.Direct:
		return direct
	case m.Complete:
		return complete
	}
	return living
}

func (r *Replica) putReply(owners []mesh.NodeID, ack mesh.Ack) *pb.PutReply {
	return &pb.PutReply{Replicas: uint32(ack.Replicas), Durability: uint32(ack.Durability), Owners: r.ownersToTell(owners)}
}

// ownersToTell lists the owners for the one who asked a node that is none.
func (r *Replica) ownersToTell(owners []mesh.NodeID) [][]byte {
	if slices.Contains(owners, r.Self) {
		return nil
	}
	told := make([][]byte, len(owners))
	for i, owner := range owners {
		told[i] = []byte(owner)
	}
	return told
}

func toDurability(d uint32) (mesh.Durability, error) {
	if d > uint32(mesh.Synced) {
		return 0, mesh.Errorf(mesh.Invalid, "durability", "level %d: expected 0 to %d", d, mesh.Synced)
	}
	return mesh.Durability(d), nil
}
