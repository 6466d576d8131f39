package node

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/node/replica"
	"github.com/virga-mesh/virga/node/session"
)

// inSession is state as functions read and write it: in the session of their
// run, if that has one.
type inSession struct {
	replica  *replica.Replica
	sessions *session.Sessions
}

// Get reads a key, and tells whether it was on this node.
func (s *inSession) Get(ctx context.Context, in mesh.Session, key mesh.Key) (value lattice.Value, here bool, err error) {
	if in.IsZero() {
		return s.replica.GetHere(ctx, key, 0)
	}
	return s.sessions.Get(ctx, in, key)
}

// Put lets the session see a write, which put makes.
func (s *inSession) Put(ctx context.Context, in mesh.Session, w session.Write, put func(*session.Causes) error) error {
	if in.IsZero() {
		return put(nil)
	}
	return s.sessions.Put(ctx, in, w, put)
}

// Delete lets the session see a delete, which del makes.
func (s *inSession) Delete(ctx context.Context, in mesh.Session, key mesh.Key, del func(*session.Causes) error) error {
	if in.IsZero() {
		return del(nil)
	}
	return s.sessions.Delete(ctx, in, key, del)
}

// A worker asks for its functions, which may have a session.

func (r *rooms) get(ctx context.Context, m *pb.Get) (*pb.GetReply, error) {
	if m.Session == nil {
		return r.replica.HandleGet(ctx, m)
	}
	in, key, err := sessionAndKey(m)
	if err != nil {
		return nil, err
	}
	value, _, err := r.sessions.Get(ctx, in, key)
	if err != nil {
		return nil, err
	}
	return &pb.GetReply{Value: value.AppendBinary(nil)}, nil
}

func (r *rooms) put(ctx context.Context, m *pb.Put) (reply *pb.PutReply, err error) {
	if m.Session == nil || m.Forwarded {
		return r.replica.HandlePut(ctx, m)
	}
	in, key, err := sessionAndKey(m)
	if err != nil {
		return nil, err
	}
	op, err := lattice.DecodeOp(m.GetOp())
	if err != nil || m.Kind > 255 {
		return nil, mesh.Errorf(mesh.Invalid, "put "+key.String(), "kind %d, operation of %d bytes: %v", m.Kind, len(m.GetOp()), err)
	}
	if in.Level == mesh.Transactional && (m.TtlMs > 0 || m.Behind) {
		return nil, mesh.Errorf(mesh.Invalid, "put "+key.String(), "a time to live, or write-behind, in a run at %s: expected neither", in.Level)
	}
	write := session.Write{Key: key, Kind: lattice.Kind(m.Kind), Op: op, ID: string(m.WriteId)}
	err = r.sessions.Put(ctx, in, write, func(causes *session.Causes) (err error) {
		m.Causes, m.CausesUntold = encodeSeen(causes)
		if reply, err = r.replica.HandlePut(ctx, m); err != nil {
			return err
		}
		return heed(reply, causes)
	})
	return replied(reply, err)
}

// replied is the answer to a write that is perhaps yet to be made.
func replied(reply *pb.PutReply, err error) (*pb.PutReply, error) {
	if reply == nil && err == nil {
		reply = &pb.PutReply{}
	}
	return reply, err
}

func (r *rooms) delete(ctx context.Context, m *pb.Delete) (reply *pb.PutReply, err error) {
	if m.Session == nil || m.Forwarded {
		return r.replica.HandleDelete(ctx, m)
	}
	in, key, err := sessionAndKey(m)
	if err != nil {
		return nil, err
	}
	err = r.sessions.Delete(ctx, in, key, func(causes *session.Causes) (err error) {
		m.Causes, m.CausesUntold = encodeSeen(causes)
		if reply, err = r.replica.HandleDelete(ctx, m); err != nil {
			return err
		}
		return heed(reply, causes)
	})
	return replied(reply, err)
}

// encodeSeen is what a write that tells its causes has in its message.
func encodeSeen(causes *session.Causes) (seen []byte, untold bool) {
	if causes == nil {
		return nil, false
	}
	return causes.Seen.AppendBinary(nil), causes.Untold
}

// heed takes which write was made out of the reply, which is for a worker.
func heed(reply *pb.PutReply, causes *session.Causes) (err error) {
	if causes != nil {
		causes.Wrote, err = lattice.DecodePast(reply.Wrote)
	}
	reply.Wrote = nil
	return err
}

func sessionAndKey(m interface {
	GetSession() *pb.RunSession
	GetKey() *pb.Key
}) (in mesh.Session, key mesh.Key, err error) {
	if in, err = wire.ToSession(m.GetSession()); err == nil {
		key, err = wire.ToKey(m.GetKey())
	}
	if err == nil && in.IsZero() {
		err = mesh.Errorf(mesh.Invalid, "session", "none is named")
	}
	return in, key, err
}
