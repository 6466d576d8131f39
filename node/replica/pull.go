package replica

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// pull takes a partition over from a node and tells the machine.
func (r *Replica) pull(d pull) {
	theirs, whole, err := r.pullPages(r.background, d)
	var mine uint64
	if err == nil {
		mine, err = r.Local.Digest(r.background, d.partition)
	}
	r.sync.tell(func() {
		if err != nil {
			r.Log.Debug("cannot take a partition over", "partition", d.partition, "node", d.peer.Short(), "err", err)
			r.sync.settlement.NotPulled(d, time.Now())
			return
		}
		r.sync.settlement.Pulled(d, theirs, mine, whole)
		r.sync.progress()
	})
}

// pullPages merges what a node holds of a partition and this one does not. It
// gives the digest that the partition had there at the beginning, and whether
// all could be merged.
func (r *Replica) pullPages(ctx context.Context, d pull) (digest uint64, whole bool, err error) {
	have, err := r.Local.Entries(ctx, d.partition)
	if err != nil {
		return 0, false, err
	}
	whole = true
	for from, first := uint64(0), true; ; first = false {
		page, err := r.pullPage(ctx, d, entriesFrom(have, from), from)
		if err != nil {
			return 0, false, err
		}
		if first {
			digest = page.Digest
		}
		switch err := r.take(ctx, d, page.Records); {
		case err == nil:
		case !owable(err): // some are refused, and the rest is merged
			whole = false
		default:
			return 0, false, err
		}
		switch {
		case page.Done:
			return digest, whole, nil
		case page.Next <= from && !first:
			return 0, false, mesh.Errorf(mesh.Internal, "pull", "node %s goes on at %x after %x", d.peer.Short(), page.Next, from)
		}
		from = page.Next
	}
}

func entriesFrom(have []mesh.Entry, from uint64) []mesh.Entry {
	at, _ := slices.BinarySearchFunc(have, from, func(e mesh.Entry, from uint64) int {
		switch {
		case e.ID < from:
			return -1
		case e.ID > from:
			return 1
		}
		return 0
	})
	for at > 0 && have[at-1].ID == from {
		at--
	}
	return have[at:]
}

func (r *Replica) pullPage(ctx context.Context, d pull, have []mesh.Entry, from uint64) (*pb.SyncPullReply, error) {
	req := &pb.SyncPull{Partition: uint32(d.partition), Have: encodeEntries(have), From: from}
	ctx, cancel := r.attempt(ctx, len(req.Have)+pageBytes)
	defer cancel()
	return call[*pb.SyncPullReply](ctx, r.Peers, d.peer, req)
}

// take merges a page. With an error that is not owable, what was not refused is merged.
func (r *Replica) take(ctx context.Context, d pull, page []*pb.SyncRecord) error {
	records := make([]mesh.Record, 0, len(page))
	var refused error
	for _, m := range page {
		record, err := toRecord(m)
		if err != nil {
			r.Log.Warn("a node holds what cannot be read", "node", d.peer.Short(), "partition", d.partition, "err", err)
			refused = err
			continue
		}
		records = append(records, record)
		r.sync.bytes.Add(int64(len(m.Cell)))
	}
	if len(records) == 0 {
		return refused
	}
	if err := r.Local.MergeAll(ctx, records, mesh.Logged); err != nil {
		return err
	}
	r.sync.repairs.Add(int64(len(records)))
	return refused
}

func toRecord(m *pb.SyncRecord) (mesh.Record, error) {
	key, err := wire.ToStoredKey(m.Key)
	if err != nil {
		return mesh.Record{}, err
	}
	cell, err := lattice.DecodeCell(m.Cell)
	if err != nil {
		return mesh.Record{}, mesh.Errorf(mesh.Invalid, "pull "+key.String(), "%w", err)
	}
	return mesh.Record{Key: key, Cell: cell}, nil
}

// entrySize is that of a mesh.Entry as it travels, in bytes.
const entrySize = 16

func encodeEntries(entries []mesh.Entry) []byte {
	b := make([]byte, 0, len(entries)*entrySize)
	for _, e := range entries {
		b = binary.BigEndian.AppendUint64(b, e.ID)
		b = binary.BigEndian.AppendUint64(b, e.Digest)
	}
	return b
}

func decodeEntries(b []byte) ([]mesh.Entry, error) {
	if len(b)%entrySize != 0 {
		return nil, mesh.Errorf(mesh.Invalid, "entries", "%d bytes: expected a multiple of %d", len(b), entrySize)
	}
	entries := make([]mesh.Entry, 0, len(b)/entrySize)
	for ; len(b) > 0; b = b[entrySize:] {
		entries = append(entries, mesh.Entry{ID: binary.BigEndian.Uint64(b), Digest: binary.BigEndian.Uint64(b[8:])})
	}
	return entries, nil
}
