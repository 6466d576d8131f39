package replica

import (
	"time"
	"unique"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// What transactions need of the nodes: writes with a stamp that was drawn
// elsewhere, and that can be made again. A transaction itself is made elsewhere.

// latest is Latest of a Reading of the cell.
func latest(cell lattice.Cell) lattice.Stamp {
	value, _ := cell.Value()
	at := laterOf(laterOf(cell.ResetAt(), value.Stamp()), cell.Expiry().At)
	if cell.Expired(time.Now) {
		expired := cell.Expire()
		at = laterOf(at, expired.ResetAt())
	}
	return at
}

func laterOf(s, t lattice.Stamp) lattice.Stamp {
	if t.After(s) {
		return t
	}
	return s
}

// stamped says when a change is made and what it tells, where the node would
// make it at a time of its own.
func (c change) stamped(at lattice.Write) lattice.Write {
	at.Causes = c.told()
	if !c.at.IsZero() {
		at.By, at.Stamp, at.Sealed = at.Stamp, c.at, c.sealed
	}
	return at
}

// validateAt is an error for a change that cannot be one of a transaction, and is to be.
func (c change) validateAt(o WriteOptions) error {
	if o.At.IsZero() && !o.Sealed {
		return nil
	}
	invalid := func(format string, args ...any) error {
		return mesh.Errorf(mesh.Invalid, c.String(), "a write of a transaction: "+format, args...)
	}
	reset := lattice.NewCell(o.At, lattice.Value{})
	switch {
	case o.At.Time == 0 || len(o.At.Node) > maxStampNode || !reset.Deleted() || reset.ResetByExpiry():
		return invalid("a stamp at %d by %.64q: expected a time, and a node's name of 1 to %d bytes", o.At.Time, o.At.Node, maxStampNode)
	case c.at != o.At || !c.deletes && (c.kind != lattice.LWWKind || c.op.Verb() != lattice.VerbSet):
		return invalid("expected a put that sets an lww, or a delete")
	case o.Causes == nil || o.Untold:
		return invalid("expected causes that are told")
	case o.Behind || c.ttl > 0:
		return invalid("expected no time to live, and no write-behind")
	}
	return nil
}

// maxStampNode bounds the name of a node in a stamp that was told, in bytes.
const maxStampNode = 64

// decodeAt reads the stamp of a write of a transaction, zero of any other. Clients
// make no such writes: their messages are never forwarded. There are few nodes,
// and many cells keep the stamp: equal names share their bytes.
func decodeAt(time uint64, node []byte, forwarded bool) (lattice.Stamp, error) {
	switch {
	case time == 0 && len(node) == 0:
		return lattice.Stamp{}, nil
	case !forwarded:
		return lattice.Stamp{}, mesh.Errorf(mesh.Denied, "put", "a write of a transaction is for nodes only")
	case len(node) > maxStampNode: // validateAt refuses it
		return lattice.Stamp{Time: time, Node: string(node)}, nil
	}
	return lattice.Stamp{Time: time, Node: unique.Make(string(node)).Value()}, nil
}
