package replica

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Bounds of a page of Scan.
const (
	DefaultScanLimit = 100
	MaxScanLimit     = 1000
	maxScanBytes     = 1 << 20 // of what one node gives
	maxScannedCell   = 1 << 20 // a larger one is told without its value
)

// Scanned is a key with its value, as all live nodes know it.
type Scanned struct {
	Name string
	// Value must not be changed. It is zero where it is Omitted: more than a
	// page has room for, or a collection that may be stored in parts.
	Value   lattice.Value
	Omitted bool
	Expires time.Time // zero: never, or it is a register that is Omitted
}

// ScanPage is a part of what Scan gives. With More, others are to be asked
// for with names greater than Last.
type ScanPage struct {
	Keys []Scanned
	Last string
	More bool
}

// Scan gives keys of a namespace with their values, in order, whose names
// begin with prefix and are greater than after: what all live nodes hold of
// them, merged. It looks at up to limit keys, fewer where they are large; 0
// means DefaultScanLimit. It is mesh.Unavailable when so many nodes do not
// answer that a key may be missing.
func (r *Replica) Scan(ctx context.Context, namespace, prefix, after string, limit int) (ScanPage, error) {
	limit, err := scanLimit(namespace, limit)
	if err != nil {
		return ScanPage{}, err
	}
	req := &pb.Scan{Namespace: namespace, Prefix: prefix, After: after, Limit: uint32(limit), Local: true}
	nodes := r.Placement.Live()
	pages := make(chan scanPart, len(nodes))
	for _, node := range nodes {
		if !r.spawn(func() { pages <- r.scanAt(ctx, node, req) }) {
			return ScanPage{}, mesh.Errorf(mesh.Unavailable, "scan "+namespace, "this node is stopping")
		}
	}
	var parts []scanPart
	var last error
	for range nodes {
		if p := <-pages; p.err == nil {
			parts = append(parts, p)
		} else {
			last = p.err
		}
	}
	if failed := len(nodes) - len(parts); failed > 0 && failed >= min(r.WriteQuorum, len(nodes)) {
		return ScanPage{}, mesh.Errorf(mesh.Unavailable, "scan "+namespace, "%d of %d nodes did not answer: %w", failed, len(nodes), last)
	}
	return mergeScans(parts, limit, time.Now), nil
}

// scanLimit validates what a scan asks for and gives the limit that it means.
func scanLimit(namespace string, limit int) (int, error) {
	if err := mesh.ValidateNamespace(namespace); err != nil {
		return 0, err
	}
	if limit < 0 || limit > MaxScanLimit {
		return 0, mesh.Errorf(mesh.Invalid, "scan "+namespace, "limit %d: expected 0 to %d", limit, MaxScanLimit)
	}
	if limit == 0 {
		return DefaultScanLimit, nil
	}
	return limit, nil
}

// HandleScan answers a client for the whole mesh, or another node for this node's own copies.
func (r *Replica) HandleScan(ctx context.Context, m *pb.Scan) (*pb.ScanReply, error) {
	limit, err := scanLimit(m.Namespace, int(min(m.Limit, MaxScanLimit+1)))
	if err != nil {
		return nil, err
	}
	if m.Local {
		if err := r.home("scan"); err != nil {
			return nil, err
		}
		return r.scanLocal(ctx, m, limit)
	}
	page, err := r.Scan(ctx, m.Namespace, m.Prefix, m.After, limit)
	if err != nil {
		return nil, err
	}
	reply := &pb.ScanReply{More: page.More, Last: page.Last}
	for _, k := range page.Keys {
		told := &pb.ScannedKey{Name: k.Name, Omitted: k.Omitted}
		if !k.Omitted {
			told.Value = k.Value.AppendBinary(nil)
		}
		if !k.Expires.IsZero() {
			told.ExpiresUnixMs = uint64(k.Expires.UnixMilli())
		}
		reply.Keys = append(reply.Keys, told)
	}
	return reply, nil
}

// scanLocal tells this node's own cells, deleted ones too: a delete that only
// this node knows of wins over what others still hold.
func (r *Replica) scanLocal(ctx context.Context, m *pb.Scan, limit int) (*pb.ScanReply, error) {
	records, more, err := r.Local.Scan(ctx, m.Namespace, m.Prefix, m.After, limit, maxScanBytes)
	if err != nil {
		return nil, err
	}
	reply := &pb.ScanReply{More: more}
	for _, record := range records {
		told := &pb.ScannedKey{Name: record.Key.Name}
		if value, _ := record.Cell.Value(); value.Divided() || record.Cell.Size() > maxScannedCell {
			told.Omitted, told.Cell = true, expiryAlone(record.Cell, value)
		} else {
			told.Cell = record.Cell.AppendBinary(nil)
		}
		reply.Keys, reply.Last = append(reply.Keys, told), told.Name
	}
	return reply, nil
}

// expiryAlone tells of a cell that is omitted when it expires; nothing if it
// does not. A register may have been written since elsewhere, which would lift
// it, so that there it is left to who reads the register.
func expiryAlone(cell lattice.Cell, value lattice.Value) []byte {
	if _, expires := cell.ExpiresAt(); !expires || value.Kind() == lattice.LWWKind {
		return nil
	}
	return lattice.NewCell(cell.ResetAt(), lattice.Value{}).WithExpiry(cell.Expiry()).AppendBinary(nil)
}

// scanPart is what one node gives. With more, it is complete only up to its last key.
type scanPart struct {
	keys []scannedCell
	more bool
	err  error
}

type scannedCell struct {
	name    string
	cell    lattice.Cell
	omitted bool
}

func (r *Replica) scanAt(ctx context.Context, node mesh.NodeID, req *pb.Scan) scanPart {
	ctx, cancel := r.attempt(ctx, maxScanBytes+maxScannedCell)
	defer cancel()
	var reply *pb.ScanReply
	var err error
	if node == r.Self {
		reply, err = r.scanLocal(ctx, req, int(req.Limit))
	} else {
		reply, err = call[*pb.ScanReply](ctx, r.Peers, node, req)
	}
	if err != nil {
		return scanPart{err: err}
	}
	part := scanPart{more: reply.More}
	for _, k := range reply.Keys {
		found := scannedCell{name: k.Name, omitted: k.Omitted}
		if len(k.Cell) > 0 {
			if found.cell, err = lattice.DecodeCell(k.Cell); err != nil {
				return scanPart{err: mesh.Errorf(mesh.Internal, "", "node %s: key %q: %w", node.Short(), k.Name, err)}
			}
		}
		part.keys = append(part.keys, found)
	}
	return part
}

// mergeScans joins what several nodes hold. What lies beyond the end of an
// incomplete part, or beyond the limit, is left for the next page.
func mergeScans(parts []scanPart, limit int, now func() time.Time) ScanPage {
	var all []scannedCell
	page := ScanPage{}
	for _, p := range parts {
		all = append(all, p.keys...)
		if p.more && len(p.keys) > 0 {
			if last := p.keys[len(p.keys)-1].name; !page.More || last < page.Last {
				page.Last, page.More = last, true
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scannedCell) int { return strings.Compare(a.name, b.name) })
	bytes, last := 0, ""
	for looked := 0; len(all) > 0 && (!page.More || all[0].name <= page.Last); looked++ {
		if looked == limit || bytes >= maxScanBytes {
			page.Last, page.More = last, true
			return page
		}
		same := 1
		for same < len(all) && all[same].name == all[0].name {
			same++
		}
		if key, exists := mergeScanned(all[:same], now); exists {
			bytes += key.Value.Size()
			page.Keys = append(page.Keys, key)
		}
		last, all = all[0].name, all[same:]
	}
	return page
}

// mergeScanned joins what nodes hold of one key, and reports whether it exists.
func mergeScanned(copies []scannedCell, now func() time.Time) (key Scanned, exists bool) {
	key.Name = copies[0].name
	var merged lattice.Cell
	for _, c := range copies {
		key.Omitted = key.Omitted || c.omitted
		if c.cell.IsZero() {
			continue
		}
		if _, err := merged.Merge(c.cell); err != nil {
			key.Omitted = true // owners hold different kinds for a while
		}
	}
	key.Expires, _ = merged.ExpiresAt()
	if key.Omitted {
		return key, true
	}
	key.Value, exists = merged.Value()
	return key, exists && !merged.Expired(now)
}
