package sdk

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Exported is a key with its value or, of a large set or map, with a piece of it.
type Exported struct {
	Name    string
	Value   lattice.Value
	Expires time.Time // zero: never
	// Piece is 0 where Value is the whole, and else counts the pieces of the
	// key from 1 on. No element or field is in two of them.
	Piece int
}

// Export gives the keys of the client's namespace whose names begin with
// prefix, in order, with their values, whatever their size: large sets and
// maps in pieces, one after another. It keeps no more than a page of what it
// reads. What is written meanwhile may be in it or not; what was acknowledged
// before is in it, if the client's ReadQuorum and the nodes' write quorum
// together are more than the owners of a key. What fails for the moment is
// tried again for half a minute. An error ends it.
func (c *Client) Export(ctx context.Context, prefix string) iter.Seq2[Exported, error] {
	return func(yield func(Exported, error) bool) {
		req := &pb.Scan{Namespace: c.namespace, Prefix: prefix}
		for more := true; more; {
			var reply *pb.ScanReply
			err := persist(ctx, func() (err error) {
				reply, err = do[*pb.ScanReply](ctx, c, "export "+prefix, req)
				return err
			})
			if err != nil {
				yield(Exported{}, err)
				return
			}
			for _, told := range reply.Keys {
				if !c.exportKey(ctx, told, yield) {
					return
				}
			}
			req, more = &pb.Scan{Namespace: c.namespace, Prefix: prefix, After: reply.Last}, reply.More
		}
	}
}

// exportKey yields a key that was scanned, and reports whether to go on.
func (c *Client) exportKey(ctx context.Context, told *pb.ScannedKey, yield func(Exported, error) bool) bool {
	key, err := toScannedKey(told)
	if err != nil {
		yield(Exported{}, err)
		return false
	}
	if !key.Omitted {
		return yield(Exported{Name: key.Name, Value: key.Value, Expires: key.Expires}, nil)
	}
	piece := Exported{Name: key.Name, Expires: key.Expires}
	for from := uint32(0); ; {
		var next uint32
		err := persist(ctx, func() (err error) {
			piece.Value, next, err = c.page(ctx, key.Name, from)
			return err
		})
		switch {
		case errors.Is(err, mesh.NotFound): // it was deleted meanwhile
			return true
		case errors.Is(err, mesh.Invalid) && from == 0: // it is no collection
			return c.exportRegister(ctx, key.Name, yield)
		case err != nil:
			yield(Exported{}, err)
			return false
		}
		if next != 0 || piece.Piece > 0 {
			piece.Piece++
		}
		if (next == 0 || piece.Value.Len() > 0) && !yield(piece, nil) {
			return false
		}
		if from = next; next == 0 {
			return true
		}
	}
}

// exportRegister yields a large value that has no pieces.
func (c *Client) exportRegister(ctx context.Context, name string, yield func(Exported, error) bool) bool {
	key := Exported{Name: name}
	err := persist(ctx, func() error {
		reply, err := c.getDetails(ctx, name)
		if err != nil {
			return err
		}
		if reply.TtlMs > 0 {
			key.Expires = time.Now().Add(time.Duration(reply.TtlMs) * time.Millisecond)
		}
		key.Value, err = decodeValue("export "+name, reply.Value)
		return err
	})
	if errors.Is(err, mesh.NotFound) {
		return true
	}
	return yield(key, err) && err == nil
}

// persistTries is how often persist tries, with pauses of 1, 2, 4 and so on seconds.
const persistTries = 5

// persist does what may fail while nodes come and go.
func persist(ctx context.Context, try func() error) (err error) {
	for n := range persistTries {
		if n > 0 {
			select {
			case <-time.After(time.Second << (n - 1)):
			case <-ctx.Done():
				return err
			}
		}
		if err = try(); err == nil || !mesh.KindOf(err).Retryable() {
			return err
		}
	}
	return err
}
