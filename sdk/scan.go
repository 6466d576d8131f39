package sdk

import (
	"context"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// ScannedKey is a key with its value.
type ScannedKey struct {
	Name string
	// Value is zero where it is Omitted: too large for a page, or a set or map
	// of 256 names or more. Read that key by itself.
	Value   lattice.Value
	Omitted bool
	// Expires is when the key expires, zero if it does not. Of a register that
	// is Omitted it is not told.
	Expires time.Time
}

// Scan gives the keys of the client's namespace whose names begin with prefix,
// in order, with their values, fetched a page at a time. It asks all live
// nodes and merges what they hold, so that it sees each acknowledged write of
// before it began, whichever owner has it. An error ends it.
func (c *Client) Scan(ctx context.Context, prefix string) iter.Seq2[ScannedKey, error] {
	return func(yield func(ScannedKey, error) bool) {
		req := &pb.Scan{Namespace: c.namespace, Prefix: prefix}
		for more := true; more; {
			reply, err := do[*pb.ScanReply](ctx, c, "scan "+prefix, req)
			if err != nil {
				yield(ScannedKey{}, err)
				return
			}
			for _, told := range reply.Keys {
				key, err := toScannedKey(told)
				if !yield(key, err) || err != nil {
					return
				}
			}
			req.After, more = reply.Last, reply.More
		}
	}
}

func toScannedKey(told *pb.ScannedKey) (ScannedKey, error) {
	key := ScannedKey{Name: told.Name, Omitted: told.Omitted}
	if told.ExpiresUnixMs > 0 {
		key.Expires = time.UnixMilli(int64(told.ExpiresUnixMs))
	}
	if told.Omitted {
		return key, nil
	}
	var err error
	if key.Value, err = lattice.Decode(told.Value); err != nil {
		return ScannedKey{}, mesh.Errorf(mesh.Internal, "scan "+told.Name, "%w", err)
	}
	return key, nil
}
