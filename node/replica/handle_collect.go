package replica

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleCollect answers another member that wants marks of deletes forgotten.
// It is mesh.Unavailable while a member is missing here, or this node sees others
// than the one that asks.
func (r *Replica) HandleCollect(ctx context.Context, m *pb.Collect) (*pb.CollectReply, error) {
	if len(m.Marks) > marksAtOnce*2 || m.Step > forgetStep {
		return nil, mesh.Errorf(mesh.Invalid, "collect", "step %d with %d marks: expected up to %d, and up to %d", m.Step, len(m.Marks), forgetStep, marksAtOnce*2)
	}
	if m.Step != forgetStep {
		members, _, err := r.wholeMesh()
		if err != nil {
			return nil, err
		}
		if string(digestOfMembers(members)) != string(m.Members) {
			return nil, mesh.Errorf(mesh.Unavailable, "collect", "this node sees other members than the one that asks")
		}
	}
	reply := &pb.CollectReply{}
	for i, asked := range m.Marks {
		key, err := wire.ToStoredKey(asked.Key)
		if err != nil {
			return nil, err
		}
		agrees, err := r.collectMark(ctx, mesh.Tombstone{Key: key, Digest: asked.Digest, Since: lattice.Stamp{Time: asked.Since}}, m.Step)
		if err != nil {
			r.Log.Debug("a mark of a delete is kept", "key", key.String(), "err", err)
		}
		if !agrees {
			reply.Refused = append(reply.Refused, uint32(i))
		}
	}
	return reply, nil
}

// collectMark takes one step with one mark, and reports whether this node agrees to it.
func (r *Replica) collectMark(ctx context.Context, mark mesh.Tombstone, step uint32) (bool, error) {
	if step == forgetStep {
		collected, err := r.Local.Collect(ctx, mark.Key, mark.Digest)
		if collected {
			r.collected.Add(1)
		}
		return err == nil, err
	}
	rules := graves{graveRules: rulesOfGraves(r.Options)}
	if !rules.Old(mark.Since, time.Now()) {
		return false, nil
	}
	own, held, err := r.Local.Tombstone(mark.Key)
	if err != nil || held && own.Digest != mark.Digest {
		return false, err
	}
	if owed, err := r.Local.Hinted(mark.Key); owed || err != nil {
		return false, err
	}
	if step == noteStep {
		return true, r.Local.RaiseFloor(mark.Key.Partition(), mark.Since.Time)
	}
	return true, nil
}

// Collected is how many marks of deletes this node has forgotten since it was started.
func (r *Replica) Collected() int64 { return r.collected.Load() }
