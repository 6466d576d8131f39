package replica

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// absent is the version of a key that does not exist.
const absent = ""

// versionSize is how much of the digest makes a version, in bytes.
const versionSize = 16

// versionOf tells what a cell holds from what it held before or holds
// elsewhere, by a digest of its encoding without the expiry, since a touch makes
// no other version, and without its birth.
func versionOf(cell lattice.Cell) string {
	value, exists := cell.Value()
	if !exists || cell.Expired(time.Now) {
		return absent
	}
	sum := sha256.Sum256(lattice.NewCell(cell.ResetAt(), value).AppendBinary(nil))
	return hex.EncodeToString(sum[:versionSize])
}

// detail tells of a cell that was read what is not in its value.
func detail(reply *pb.GetReply, cell lattice.Cell) {
	if v, _ := cell.Value(); swappable(v.Kind()) {
		reply.Version = versionOf(cell)
	}
	reply.CausesBytes = uint32(cell.CausesSize())
	if until, ok := cell.ExpiresAt(); ok {
		reply.TtlMs = toMillis(max(time.Until(until), time.Millisecond))
	}
}
