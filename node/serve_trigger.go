package node

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// serveTriggers answers what concerns triggers.
func (r *rooms) serveTriggers(ctx context.Context, req wire.Message) (reply wire.Message, known bool, err error) {
	switch m := req.(type) {
	case *pb.PutTrigger:
		reply, err = r.putTrigger(ctx, m)
	case *pb.GetTrigger:
		reply, err = triggerReply(r.triggers.Get(ctx, m.GetNamespace(), m.GetName()))
	case *pb.ListTriggers:
		reply, err = r.listTriggers(ctx, m)
	case *pb.DeleteTrigger:
		err = r.triggers.Delete(ctx, m.GetNamespace(), m.GetName())
	default:
		return nil, false, nil
	}
	return reply, true, err
}

func (r *rooms) putTrigger(ctx context.Context, m *pb.PutTrigger) (wire.Message, error) {
	t, err := wire.ToTrigger(m.GetTrigger())
	if err != nil {
		return nil, err
	}
	return triggerReply(r.triggers.Put(ctx, t))
}

func triggerReply(s mesh.TriggerStatus, err error) (wire.Message, error) {
	if err != nil {
		return nil, err
	}
	return &pb.GetTriggerReply{Info: wire.FromTriggerStatus(&s)}, nil
}

func (r *rooms) listTriggers(ctx context.Context, m *pb.ListTriggers) (wire.Message, error) {
	found, more, err := r.triggers.List(ctx, m.GetNamespace(), m.GetPrefix(), m.GetAfter(), page(m.GetLimit()))
	if err != nil {
		return nil, err
	}
	reply := &pb.ListTriggersReply{More: more}
	for i := range found {
		reply.Triggers = append(reply.Triggers, wire.FromTriggerStatus(&found[i]))
	}
	return reply, nil
}
