package replica

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of a batch.
const (
	MaxBatch      = 1000     // keys
	MaxBatchBytes = 16 << 20 // of all puts, or all values, together
	batchAtOnce   = 64       // keys worked on at the same time
)

// HandleGetAll reads keys beside one another. Values beyond MaxBatchBytes are
// answered with mesh.Overloaded: they are to be read alone.
func (r *Replica) HandleGetAll(ctx context.Context, m *pb.GetAll) (*pb.BatchReply, error) {
	if n := len(m.Keys); n == 0 || n > MaxBatch {
		return nil, mesh.Errorf(mesh.Invalid, "get all", "%d keys: expected 1 to %d", n, MaxBatch)
	}
	var bytes atomic.Int64
	return r.batch(len(m.Keys), func(i int) (*pb.BatchAnswer, error) {
		reply, err := r.HandleGet(ctx, &pb.Get{Key: m.Keys[i], Quorum: m.Quorum})
		if err != nil {
			return nil, err
		}
		if bytes.Add(int64(len(reply.Value))) > MaxBatchBytes {
			return nil, mesh.Errorf(mesh.Overloaded, "get all", "the values of the batch take more than %d bytes: get this one alone", MaxBatchBytes)
		}
		return &pb.BatchAnswer{Value: reply.Value}, nil
	}), nil
}

// HandlePutAll makes puts beside one another. Two of one key are made in any order.
func (r *Replica) HandlePutAll(ctx context.Context, m *pb.PutAll) (*pb.BatchReply, error) {
	if n := len(m.Puts); n == 0 || n > MaxBatch {
		return nil, mesh.Errorf(mesh.Invalid, "put all", "%d puts: expected 1 to %d", n, MaxBatch)
	}
	if size := proto.Size(m); size > MaxBatchBytes {
		return nil, mesh.Errorf(mesh.Invalid, "put all", "the puts take %d bytes: expected at most %d", size, MaxBatchBytes)
	}
	return r.batch(len(m.Puts), func(i int) (*pb.BatchAnswer, error) {
		reply, err := r.HandlePut(ctx, m.Puts[i])
		if err != nil {
			return nil, err
		}
		return &pb.BatchAnswer{Replicas: reply.Replicas, Durability: reply.Durability}, nil
	}), nil
}

// batch answers n requests, some at the same time.
func (r *Replica) batch(n int, do func(i int) (*pb.BatchAnswer, error)) *pb.BatchReply {
	reply := &pb.BatchReply{Answers: make([]*pb.BatchAnswer, n)}
	var group errgroup.Group
	group.SetLimit(batchAtOnce)
	for i := range n {
		group.Go(func() error {
			answer, err := do(i)
			if err != nil {
				answer = &pb.BatchAnswer{Error: wire.FromError(err, r.Self)}
			}
			reply.Answers[i] = answer
			return nil
		})
	}
	_ = group.Wait() // the answers have the errors
	return reply
}
