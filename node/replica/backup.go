package replica

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// HandleBackup gives a page of what the mesh holds of a partition: what one
// live owner after another holds. Where this node is an owner itself, of the
// others only what it lacks. It is mesh.Unavailable when so few owners live
// that an acknowledged write may be missing.
func (r *Replica) HandleBackup(ctx context.Context, m *pb.Backup) (*pb.BackupReply, error) {
	if m.Partition >= mesh.Partitions {
		return nil, mesh.Errorf(mesh.Invalid, "backup", "partition %d: expected less than %d", m.Partition, mesh.Partitions)
	}
	p := mesh.Partition(m.Partition)
	at, err := r.backupCursor(p, m.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := r.backupFrom(ctx, p, at)
	if err != nil {
		return nil, err
	}
	reply := &pb.BackupReply{Records: page.Records}
	switch {
	case !page.Done:
		at.from = page.Next
	case len(at.owners) == 1:
		return reply, nil
	default:
		at = backupCursor{owners: at.owners[1:]}
	}
	reply.Next = at.encode()
	return reply, nil
}

// backupFrom reads a page at the first owner of the cursor.
func (r *Replica) backupFrom(ctx context.Context, p mesh.Partition, at backupCursor) (*pb.SyncPullReply, error) {
	req := &pb.SyncPull{Partition: uint32(p), From: at.from}
	if at.owners[0] == r.Self {
		return r.HandleSyncPull(ctx, req)
	}
	if slices.Contains(r.Placement.PartitionOwners(p, r.Replicas), r.Self) { // it has been given what this node holds
		have, err := r.Local.Entries(ctx, p)
		if err != nil {
			return nil, err
		}
		req.Have = encodeEntries(entriesFrom(have, at.from))
	}
	ctx, cancel := r.attempt(ctx, len(req.Have)+pageBytes)
	defer cancel()
	return call[*pb.SyncPullReply](ctx, r.Peers, at.owners[0], req)
}

// backupCursor is where a backup of a partition stands: the owners that are
// yet to be read, and how far the first one has been.
type backupCursor struct {
	owners []mesh.NodeID
	from   uint64
}

// backupCursor reads a cursor, or begins with this node, if it is an owner.
func (r *Replica) backupCursor(p mesh.Partition, encoded []byte) (backupCursor, error) {
	if len(encoded) > 0 {
		return decodeBackupCursor(encoded)
	}
	owners := slices.Clone(r.Placement.PartitionOwners(p, r.Replicas))
	known := r.Placement.KnownOwners(p, r.Replicas)
	living := among(owners, known)
	if need := r.lookQuorum(len(known)); need > living {
		return backupCursor{}, mesh.Errorf(mesh.Unavailable, "backup", "%d of %d owners of partition %v live: expected %d at least", living, len(known), p, need)
	}
	if at := slices.Index(owners, r.Self); at > 0 {
		owners[0], owners[at] = owners[at], owners[0]
	}
	from, joined := r.unsettled(p)
	if !joined {
		return backupCursor{}, mesh.Errorf(mesh.Unavailable, "backup", "this node has not joined the mesh yet")
	}
	for _, node := range from { // this node has not taken over what they hold yet
		if !slices.Contains(owners, node) {
			owners = append(owners, node)
		}
	}
	return backupCursor{owners: owners}, nil
}

func (c backupCursor) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, c.from)
	for _, owner := range c.owners {
		b = append(append(b, byte(len(owner))), owner...)
	}
	return b
}

func decodeBackupCursor(b []byte) (c backupCursor, err error) {
	malformed := mesh.Errorf(mesh.Invalid, "backup", "cursor of %d bytes: expected what came with the page before", len(b))
	if len(b) < 8 {
		return c, malformed
	}
	c.from, b = binary.BigEndian.Uint64(b), b[8:]
	for len(b) > 0 {
		size := int(b[0])
		if size == 0 || len(b) < 1+size {
			return c, malformed
		}
		c.owners, b = append(c.owners, mesh.NodeID(b[1:1+size])), b[1+size:]
	}
	if len(c.owners) == 0 {
		return c, malformed
	}
	return c, nil
}

// HandleRestore merges records of one partition into its owners, as many as a
// write needs; those that do not answer get them by anti-entropy. Records of
// another kind than what is there are refused, the others merged.
func (r *Replica) HandleRestore(ctx context.Context, m *pb.Restore) error {
	if len(m.Records) == 0 {
		return mesh.Errorf(mesh.Invalid, "restore", "no records: expected one at least")
	}
	key, err := wire.ToStoredKey(m.Records[0].Key)
	if err != nil {
		return err
	}
	if err := ofOnePartition(m.Records, key.Partition()); err != nil {
		return err
	}
	owners := r.owners(key)
	need := max(1, min(r.WriteQuorum, len(owners)))
	results := make(chan error, len(owners))
	give := &pb.Give{Records: m.Records}
	for _, owner := range owners {
		if !r.spawn(func() { results <- r.give(ctx, owner, give) }) {
			return mesh.Errorf(mesh.Unavailable, "restore", "this node is stopping")
		}
	}
	merged := 0
	var last error
	for range owners {
		if err := <-results; err == nil {
			merged++
		} else if last = err; !owable(err) {
			return err
		}
	}
	if merged < need {
		return mesh.Errorf(mesh.Unavailable, "restore", "%d owners must hold the records, %d do: %w", need, merged, last)
	}
	return nil
}

func ofOnePartition(records []*pb.SyncRecord, p mesh.Partition) error {
	for _, m := range records {
		record, err := toRecord(m)
		if err != nil {
			return err
		}
		if other := record.Key.Partition(); other != p {
			return mesh.Errorf(mesh.Invalid, "restore", "records of partitions %v and %v: expected one", p, other)
		}
	}
	return nil
}

func (r *Replica) give(ctx context.Context, owner mesh.NodeID, m *pb.Give) error {
	if owner == r.Self {
		return r.HandleGive(ctx, m)
	}
	ctx, cancel := r.attempt(ctx, pageBytes)
	defer cancel()
	_, err := r.Peers.Call(ctx, owner, m)
	return err
}

// HandleGive merges records that another node hands over.
func (r *Replica) HandleGive(ctx context.Context, m *pb.Give) error {
	if err := r.home("restore"); err != nil {
		return err
	}
	records := make([]mesh.Record, len(m.Records))
	for i, encoded := range m.Records {
		record, err := toRecord(encoded)
		if err != nil {
			return err
		}
		records[i] = record
	}
	return r.Local.MergeAll(ctx, records, r.lasting())
}
