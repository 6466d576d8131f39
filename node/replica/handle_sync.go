package replica

import (
	"context"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleSyncDigests tells another node what this one holds, by partition. It
// is mesh.Unavailable while this node does not see the other: what it wrote
// meanwhile would not reach the other, which would take it for settled.
func (r *Replica) HandleSyncDigests(ctx context.Context, from mesh.NodeID, m *pb.SyncDigests) (*pb.SyncDigestsReply, error) {
	asked, err := decodePartitionSet(m.Partitions)
	if err != nil {
		return nil, err
	}
	if err := r.home("compare"); err != nil {
		return nil, err
	}
	live := r.Placement.Live()
	if !slices.Contains(live, from) {
		return nil, mesh.Errorf(mesh.Unavailable, "compare", "this node does not see %s yet", from.Short())
	}
	digests, err := r.encodedDigests(ctx, &asked)
	if err != nil {
		return nil, err
	}
	reply := &pb.SyncDigestsReply{Digests: digests}
	for _, id := range live {
		reply.Live = append(reply.Live, []byte(id))
	}
	return reply, nil
}

// Digests gives what this node holds, by partition, in the form in which
// nodes tell each other.
func (r *Replica) Digests(ctx context.Context) ([]byte, error) {
	var all partitionSet
	for p := range mesh.Partition(mesh.Partitions) {
		all.add(p)
	}
	return r.encodedDigests(ctx, &all)
}

// encodedDigests are those of the partitions asked for that are not empty here.
func (r *Replica) encodedDigests(ctx context.Context, asked *partitionSet) ([]byte, error) {
	all, err := r.Local.Digests(ctx)
	if err != nil {
		return nil, err
	}
	var digests []partitionDigest
	for p := range asked.all() {
		if all[p] != 0 {
			digests = append(digests, partitionDigest{p, all[p]})
		}
	}
	return encodeDigests(digests), nil
}

// HandleSyncPull gives another node a page of what it does not hold of a partition.
func (r *Replica) HandleSyncPull(ctx context.Context, m *pb.SyncPull) (*pb.SyncPullReply, error) {
	if m.Partition >= mesh.Partitions {
		return nil, mesh.Errorf(mesh.Invalid, "pull", "partition %d: expected less than %d", m.Partition, mesh.Partitions)
	}
	if err := r.home("pull"); err != nil {
		return nil, err
	}
	p := mesh.Partition(m.Partition)
	have, err := decodeEntries(m.Have)
	if err != nil {
		return nil, err
	}
	digest, err := r.Local.Digest(ctx, p) // before the records: they hold at least what it stands for
	if err != nil {
		return nil, err
	}
	records, next, done, err := r.Local.Differing(ctx, p, have, m.From, pageBytes)
	if err != nil {
		return nil, err
	}
	reply := &pb.SyncPullReply{Next: next, Done: done, Digest: digest}
	for _, record := range records {
		reply.Records = append(reply.Records, &pb.SyncRecord{Key: wire.FromKey(record.Key), Cell: record.Cell.AppendBinary(nil)})
	}
	return reply, nil
}

// HandleSyncDone notes that another node holds what this one held of partitions.
func (r *Replica) HandleSyncDone(from mesh.NodeID, m *pb.SyncDone) error {
	digests, err := decodeDigests(m.Digests)
	if err != nil {
		return err
	}
	r.sync.tell(func() {
		for _, d := range digests {
			r.sync.release.Confirmed(from, d)
		}
	})
	return nil
}

// HandleSyncNow makes a comparison with the node that asks for it due.
func (r *Replica) HandleSyncNow(from mesh.NodeID) {
	r.sync.tell(func() { r.sync.settlement.CompareWith(from, time.Now()) })
}
