package replica

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// MaxTTL is the longest time to live that can be asked for.
const MaxTTL = 100 * 365 * 24 * time.Hour

// Touch makes a key of any kind expire o.TTL from now, or never with 0. A key
// that does not exist, or has expired, is mesh.NotFound. Otherwise it is like Put.
func (r *Replica) Touch(ctx context.Context, key mesh.Key, o WriteOptions) (mesh.Ack, error) {
	return r.change(ctx, touching(change{key: key, ttl: o.TTL}), o)
}

// touching makes c a touch.
func touching(c change) change {
	c.touches = true
	c.make = func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
		if _, exists := have.Value(); !exists {
			return lattice.Cell{}, mesh.Errorf(mesh.NotFound, c.String(), "no such key")
		}
		expiry := lattice.Expiry{At: at.Stamp}
		if c.ttl > 0 {
			expiry = lattice.ExpiryAfter(c.ttl, at.Now, at.Stamp)
		}
		return lattice.NewCell(have.ResetAt(), lattice.Value{}).WithExpiry(expiry), nil
	}
	return c
}

// putting makes a put with a time to live say so in its delta.
func putting(c change) change {
	if kind, op, ttl := c.kind, c.op, c.ttl; ttl > 0 {
		c.make = func(have lattice.Cell, at lattice.Write) (lattice.Cell, error) {
			at.TTL = ttl
			return have.Apply(kind, op, at)
		}
	}
	return c
}

// inTime is an error for a write that took so long that the key, which was
// to expire, may have been deleted by a node that did not see it.
func (w *recentWrite) inTime(c change) error {
	if w.ackBy.IsZero() || time.Now().Before(w.ackBy) {
		return nil
	}
	w.ackBy = time.Time{}
	return mesh.Errorf(mesh.Unavailable, c.String(), "the key expired while it was written")
}

// toMillis gives a time to live in milliseconds, at least 1 unless it is 0.
func toMillis(ttl time.Duration) uint64 {
	return uint64((ttl + time.Millisecond - 1) / time.Millisecond)
}

// fromMillis reads a time to live; one that is too long stays so.
func fromMillis(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(MaxTTL/time.Millisecond)+1)) * time.Millisecond
}
