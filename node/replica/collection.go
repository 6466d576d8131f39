package replica

import (
	"cmp"
	"context"
	"slices"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// pageParts is how many parts make a page of a collection: of a million
// elements some sixteen thousand.
const pageParts = 16

// GetElement reads one element or field of a collection: the collection with
// nothing else in it, or with nothing at all in it if it does not hold that.
// It reads as much of a large collection as of a small one. Errors are Get's,
// and mesh.Invalid for a key that is no collection.
func (r *Replica) GetElement(ctx context.Context, key mesh.Key, name string, quorum int) (lattice.Value, error) {
	whole, base, err := r.getBase(ctx, key, quorum)
	if err != nil {
		return lattice.Value{}, err
	}
	isIt := func(other string) bool { return other == name }
	value := base.Select(isIt)
	if !base.Divided() {
		return value, nil
	}
	part, found, err := r.read(ctx, key.Part(mesh.PartOf(name)), cmp.Or(quorum, r.ReadQuorum))
	if err != nil {
		return lattice.Value{}, mesh.AsError("get "+key.String(), err)
	}
	if found {
		if err := addPart(&value, whole, part, isIt); err != nil {
			return lattice.Value{}, mesh.AsError("get "+key.String(), err)
		}
	}
	return value, nil
}

// getBase reads the base of a collection, where there is one.
func (r *Replica) getBase(ctx context.Context, key mesh.Key, quorum int) (lattice.Cell, lattice.Value, error) {
	cell, err := r.getCell(ctx, key, quorum)
	if err != nil {
		return cell, lattice.Value{}, err
	}
	value, _ := cell.Value()
	if kind := value.Kind(); !kind.Divisible() && kind != lattice.OrderedSetKind {
		return cell, value, mesh.Errorf(mesh.Invalid, "get "+key.String(), "the key is a %s: expected a set or a map", kind)
	}
	return cell, value, nil
}

// addPart merges into what was read of a collection what a part holds of it.
func addPart(value *lattice.Value, whole, part lattice.Cell, keep func(string) bool) error {
	held, ok := part.Value()
	if !ok || !belongs(part, whole) {
		return nil
	}
	if keep != nil {
		held = held.Select(keep)
	}
	_, err := value.Merge(held)
	return err
}

// belongs reports whether a part is of the same life of a collection as the
// base: neither was deleted since. Where one began out of nothing, after the
// marks of earlier deletes were forgotten, the other may still stand on one of those.
func belongs(part, whole lattice.Cell) bool {
	switch p, w := part.ResetAt(), whole.ResetAt(); {
	case part.Born():
		return !w.After(part.Began())
	case whole.Born():
		return !p.After(whole.Began())
	default:
		return p == w
	}
}

// GetPage reads a collection piece by piece: from is 0, and then the next
// that was answered, until that is 0. Pages are in no order; what is added or
// removed meanwhile may be in them or not. Errors are GetElement's.
//
// The first page is the base, whose names no other page has.
func (r *Replica) GetPage(ctx context.Context, key mesh.Key, from, quorum int) (page lattice.Value, next int, err error) {
	if from < 0 || from > mesh.Parts || from%pageParts != min(from, 1) {
		return page, 0, mesh.Errorf(mesh.Invalid, "get "+key.String(), "page %d: expected 0, or what came with the page before", from)
	}
	quorum = cmp.Or(quorum, r.ReadQuorum)
	whole, base, err := r.getBase(ctx, key, quorum)
	switch {
	case err != nil:
		return page, 0, err
	case !base.Divided():
		return base, 0, nil
	case from == 0:
		page, err = r.basePage(ctx, key, whole, base, quorum)
		return page, 1, err
	}
	first := from - 1
	page = lattice.New(base.Kind())
	err = r.addParts(ctx, key, &page, &whole, first, first+pageParts, quorum, func(name string) bool { return !base.Has(name) })
	if next = from + pageParts; next > mesh.Parts {
		next = 0
	}
	return page, next, err
}

// basePage is the base, with what parts hold of its own names.
func (r *Replica) basePage(ctx context.Context, key mesh.Key, whole lattice.Cell, base lattice.Value, quorum int) (lattice.Value, error) {
	page := base.Clone()
	for name := range base.Names() { // an element needs no more than to be there
		part, found, err := r.read(ctx, key.Part(mesh.PartOf(name)), quorum)
		if err != nil || !found {
			continue // the base alone is what there is of the field for sure
		}
		if err := addPart(&page, whole, part, func(other string) bool { return other == name }); err != nil {
			return page, err
		}
	}
	return page, nil
}

// addParts merges parts of a collection into value: this node's own, or those
// of as many owners as the quorum asks for. Their causes are added to the whole's.
func (r *Replica) addParts(ctx context.Context, key mesh.Key, value *lattice.Value, whole *lattice.Cell, from, to, quorum int, keep func(string) bool) error {
	add := func(parts []*pb.PartCell) error {
		for _, p := range parts {
			cell, err := lattice.DecodeCell(p.Cell)
			if err == nil {
				whole.AddCauses(cell)
				err = addPart(value, *whole, cell, keep)
			}
			if err != nil {
				return mesh.AsError("get "+key.String(), err)
			}
		}
		return nil
	}
	owners := slices.Clone(r.owners(key))
	if quorum = max(quorum, 1); quorum > len(owners) {
		return mesh.Errorf(mesh.Unavailable, "get "+key.String(), "%d owners must answer, %d live", quorum, len(owners))
	}
	if at := slices.Index(owners, r.Self); at > 0 { // this node first: it is at hand
		owners[0], owners[at] = owners[at], owners[0]
	}
	answered := 0
	var last error
	for _, owner := range owners {
		parts, err := r.partsAt(ctx, owner, key, from, to)
		if err != nil {
			last = err
			continue
		}
		if err := add(parts); err != nil {
			return err
		}
		if answered++; answered == quorum {
			return nil
		}
	}
	return mesh.Errorf(mesh.Unavailable, "get "+key.String(), "%d owners must answer, %d did: %w", quorum, answered, last)
}

// partsAt gives an owner's own copies of parts.
func (r *Replica) partsAt(ctx context.Context, owner mesh.NodeID, key mesh.Key, from, to int) ([]*pb.PartCell, error) {
	if owner == r.Self {
		return r.localParts(key, from, to)
	}
	ctx, cancel := r.attempt(ctx, largestPage)
	defer cancel()
	reply, err := call[*pb.FetchPartsReply](ctx, r.Peers, owner, &pb.FetchParts{Key: wire.FromKey(key), From: uint32(from), To: uint32(to)})
	return reply.GetParts(), err
}

// largestPage is what some parts may come to, in bytes, for how long they are waited for.
const largestPage = 8 << 20

// localParts gives this node's own copies of parts. It is mesh.Unavailable
// while some may be with other nodes only.
func (r *Replica) localParts(key mesh.Key, from, to int) ([]*pb.PartCell, error) {
	if err := r.mustBeSettled(key); err != nil {
		return nil, err
	}
	var parts []*pb.PartCell
	for n := from; n < to; n++ {
		_, err := r.Local.View(key.Part(uint16(n)), func(cell *lattice.Cell) {
			parts = append(parts, &pb.PartCell{Part: uint32(n), Cell: cell.AppendBinary(nil)})
		})
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// whole adds to the base of a divided collection what all its parts hold.
func (r *Replica) whole(ctx context.Context, key mesh.Key, cell lattice.Cell, quorum int) (lattice.Value, error) {
	return r.wholeWithCauses(ctx, key, &cell, quorum)
}

// wholeWithCauses is whole, and adds the causes of the parts to those of the base.
func (r *Replica) wholeWithCauses(ctx context.Context, key mesh.Key, base *lattice.Cell, quorum int) (lattice.Value, error) {
	value, _ := base.Value()
	value = value.Clone()
	for from := 0; from < mesh.Parts; from += pageParts {
		if err := r.addParts(ctx, key, &value, base, from, from+pageParts, quorum, nil); err != nil {
			return lattice.Value{}, err
		}
	}
	return value, nil
}

// HandleGetElement answers a client or another node.
func (r *Replica) HandleGetElement(ctx context.Context, m *pb.GetElement) (*pb.GetReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	value, err := r.GetElement(ctx, key, m.Element, int(m.Quorum))
	if err != nil {
		return nil, err
	}
	return &pb.GetReply{Value: value.AppendBinary(nil), Owners: r.ownersToTell(r.owners(key))}, nil
}

// HandleGetPage answers a client or another node.
func (r *Replica) HandleGetPage(ctx context.Context, m *pb.GetPage) (*pb.GetPageReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	page, next, err := r.GetPage(ctx, key, int(min(m.From, mesh.Parts+1)), int(m.Quorum))
	if err != nil {
		return nil, err
	}
	return &pb.GetPageReply{Value: page.AppendBinary(nil), Next: uint32(next)}, nil
}

// HandleFetchParts gives this node's own copies of parts to another node.
func (r *Replica) HandleFetchParts(_ context.Context, m *pb.FetchParts) (*pb.FetchPartsReply, error) {
	key, err := wire.ToKey(m.Key)
	if err != nil {
		return nil, err
	}
	if m.From > m.To || m.To > mesh.Parts || m.To-m.From > pageParts {
		return nil, mesh.Errorf(mesh.Invalid, "parts of "+key.String(), "parts %d to %d: expected at most %d of %d", m.From, m.To, pageParts, mesh.Parts)
	}
	parts, err := r.localParts(key, int(m.From), int(m.To))
	if err != nil {
		return nil, err
	}
	return &pb.FetchPartsReply{Parts: parts}, nil
}
