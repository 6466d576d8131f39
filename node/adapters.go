package node

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/run"
	"github.com/virga-mesh/virga/sdk/fn"
)

// moduleSource lets the executor read modules from the catalog.
type moduleSource struct{ rooms *rooms }

func (s moduleSource) Module(ctx context.Context, hash string) ([]byte, error) {
	return s.rooms.catalog.Module(ctx, hash)
}

// placement lets replication ask who owns a key.
type placement struct{ rooms *rooms }

func (p placement) Owners(key mesh.Key, n int) []mesh.NodeID { return p.rooms.dht.Owners(key, n) }
func (p placement) Owns(key mesh.Key, n int) bool            { return p.rooms.dht.Owns(key, n) }
func (p placement) Live() []mesh.NodeID                      { return p.rooms.present() }
func (p placement) PartitionOwners(at mesh.Partition, n int) []mesh.NodeID {
	return p.rooms.dht.PartitionOwners(at, n)
}
func (p placement) KnownOwners(at mesh.Partition, n int) []mesh.NodeID {
	return p.rooms.dht.KnownOwners(at, n)
}

// Members lists those that are missing as well.
func (p placement) Members() (members []mesh.NodeID) {
	for _, m := range p.rooms.dht.Known() {
		members = append(members, m.ID)
	}
	return members
}

// executor lets runs execute functions, with the mesh in reach.
type executor struct{ rooms *rooms }

func (e executor) Invoke(ctx context.Context, v run.Invocation) (mesh.Value, error) {
	return e.rooms.exec.Invoke(ctx, exec.Invocation{
		ID: v.ID, Func: v.Func, Args: v.Args, Caller: callerOf(ctx, v.Func.Ref), Work: v.Work, In: v.In, Queued: v.Meter.Queued,
		Library: &library{
			rooms: e.rooms, id: v.ID, namespace: v.Func.Ref.Namespace, in: v.In, ledger: effects.NewLedger(v.Work), meter: v.Meter,
		},
	})
}

// outputs lets runs store their results under keys.
type outputs struct{ replica *replica.Replica }

// Put implements run.Outputs. No value is stored as null.
func (o outputs) Put(ctx context.Context, key mesh.Key, v mesh.Value, id string) error {
	if v.IsZero() {
		v = mesh.Value{Format: mesh.JSON, Data: []byte("null")}
	}
	payload := v.AppendBinary(make([]byte, 0, 1+len(v.Data)))
	_, err := o.replica.Put(ctx, key, lattice.LWWKind, lattice.SetOp(payload), replica.WriteOptions{ID: id})
	return err
}

// references lets runs read keys that are arguments: what they hold, plainly.
type references struct{ state *inSession }

func (r references) Get(ctx context.Context, in mesh.Session, key mesh.Key) (v mesh.Value, here bool, err error) {
	value, here, err := r.state.Get(ctx, in, key)
	if err != nil {
		return mesh.Value{}, false, err
	}
	v, err = fn.Plain(value)
	return v, here, err
}

// registerValue reads what a register holds.
func registerValue(value lattice.Value) (mesh.Value, error) {
	payload, ok := value.Payload()
	if !ok {
		return mesh.Value{}, mesh.Errorf(mesh.KindMismatch, "read", "the key holds a %s: expected a written lww", value.Kind())
	}
	return mesh.DecodeValue(payload)
}
