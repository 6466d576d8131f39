package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

// CreateTrigger has the mesh run a function or a DAG when a key or a prefix
// changes, at the moments of a schedule, or once. It is stored in the client's
// namespace if it names none, so is its function, and replaces a trigger of
// its name. What it runs must exist. The answer is the trigger as it is kept.
//
//	client.CreateTrigger(ctx, mesh.Trigger{
//		Name: "index", Cause: mesh.Cause{Kind: mesh.OnPrefix, Key: "page/"}, Func: mesh.FuncRef{Name: "index"},
//	})
//
// A function that a change fires gets an fn.Change first.
func (c *Client) CreateTrigger(ctx context.Context, t mesh.Trigger, args ...any) (mesh.TriggerStatus, error) {
	if t.Namespace == "" {
		t.Namespace = c.namespace
	}
	if t.Func.Name != "" && t.Func.Namespace == "" {
		t.Func.Namespace = t.Namespace
	}
	for i, arg := range args {
		v, err := codec.Encode(arg)
		if err != nil {
			return mesh.TriggerStatus{}, mesh.Errorf(mesh.Invalid, "create trigger "+t.Name, "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
		t.Args = append(t.Args[:len(t.Args):len(t.Args)], v)
	}
	if t.ID.IsZero() {
		t.ID = mesh.NewTriggerID() // so that a repetition is the same
	}
	if err := t.Validate(); err != nil {
		return mesh.TriggerStatus{}, err
	}
	return c.triggerStatus(do[*pb.GetTriggerReply](ctx, c, "create trigger "+t.Name, &pb.PutTrigger{Trigger: wire.FromTrigger(&t)}))
}

// GetTrigger reads a trigger and how it stands.
func (c *Client) GetTrigger(ctx context.Context, name string) (mesh.TriggerStatus, error) {
	return c.triggerStatus(do[*pb.GetTriggerReply](ctx, c, "get trigger "+name, &pb.GetTrigger{Namespace: c.namespace, Name: name}))
}

func (c *Client) triggerStatus(reply *pb.GetTriggerReply, err error) (mesh.TriggerStatus, error) {
	if err != nil {
		return mesh.TriggerStatus{}, err
	}
	return wire.ToTriggerStatus(reply.GetInfo())
}

// DeleteTrigger removes a trigger. Runs under way go on.
func (c *Client) DeleteTrigger(ctx context.Context, name string) error {
	_, err := do[*pb.Done](ctx, c, "delete trigger "+name, &pb.DeleteTrigger{Namespace: c.namespace, Name: name})
	return err
}

// Triggers gives the triggers whose names begin with prefix, and how they
// stand, as ListFuncs gives functions.
func (c *Client) Triggers(ctx context.Context, prefix string) iter.Seq2[mesh.TriggerStatus, error] {
	return pages(func(after string) ([]mesh.TriggerStatus, bool, error) {
		reply, err := do[*pb.ListTriggersReply](ctx, c, "list triggers",
			&pb.ListTriggers{Namespace: c.namespace, Prefix: prefix, After: after})
		if err != nil {
			return nil, false, err
		}
		found, err := convert(reply.Triggers, wire.ToTriggerStatus)
		return found, reply.More, err
	}, func(t mesh.TriggerStatus) string { return t.Name })
}
