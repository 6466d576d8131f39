package sdk

import (
	"context"
	"iter"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Backup reads what the mesh holds of a partition, in all namespaces, deleted
// keys included, while it is in use: of each key at least what was
// acknowledged before. A key may be given more than once; all that is given
// of it merges. It needs an unrestricted certificate with the verbs read and
// admin. An error ends it.
func (c *Client) Backup(ctx context.Context, p mesh.Partition) iter.Seq2[mesh.Record, error] {
	return func(yield func(mesh.Record, error) bool) {
		for cursor := []byte(nil); ; {
			reply, err := do[*pb.BackupReply](ctx, c, "backup", &pb.Backup{Partition: uint32(p), Cursor: cursor})
			if err != nil {
				yield(mesh.Record{}, err)
				return
			}
			for _, m := range reply.Records {
				record, err := toRecord(m)
				if !yield(record, err) || err != nil {
					return
				}
			}
			if cursor = reply.Next; len(cursor) == 0 {
				return
			}
		}
	}
}

func toRecord(m *pb.SyncRecord) (mesh.Record, error) {
	key, err := wire.ToStoredKey(m.Key)
	if err != nil {
		return mesh.Record{}, err
	}
	cell, err := lattice.DecodeCell(m.Cell)
	if err != nil {
		return mesh.Record{}, mesh.Errorf(mesh.Internal, "backup", "%v: %w", key, err)
	}
	return mesh.Record{Key: key, Cell: cell}, nil
}

// Restore merges records of one partition, as Backup gave them, into what the
// mesh holds: what was written or deleted since stays. It returns when as many
// owners have them as a write needs; doing it twice is as doing it once. It
// needs an unrestricted certificate with the verbs write and admin.
func (c *Client) Restore(ctx context.Context, records []mesh.Record) error {
	req := &pb.Restore{Records: make([]*pb.SyncRecord, len(records))}
	for i, r := range records {
		req.Records[i] = &pb.SyncRecord{Key: wire.FromKey(r.Key), Cell: r.Cell.AppendBinary(nil)}
	}
	_, err := do[wire.Message](ctx, c, "restore", req)
	return err
}
