package sdk

import (
	"context"
	"encoding/binary"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Digests are what a node holds, by partition: equal at two nodes that hold
// the same of a partition, 0 for one that is empty.
type Digests [mesh.Partitions]uint64

// Digests asks the node that the client is connected to what it holds, deleted
// keys included, as an owner or until the owners have it. It takes the right
// to administer.
func (c *Client) Digests(ctx context.Context) (*Digests, error) {
	m, err := do[*pb.StatsReply](ctx, c, "digests", &pb.Stats{Digests: true})
	if err != nil {
		return nil, err
	}
	return decodeDigests(m.Digests)
}

func decodeDigests(b []byte) (*Digests, error) {
	const size = 10 // partition and digest
	if len(b)%size != 0 {
		return nil, mesh.Errorf(mesh.Internal, "digests", "the node answered with %d bytes: expected a multiple of %d", len(b), size)
	}
	d := new(Digests)
	for ; len(b) > 0; b = b[size:] {
		p := binary.BigEndian.Uint16(b)
		if p >= mesh.Partitions {
			return nil, mesh.Errorf(mesh.Internal, "digests", "the node told of partition %d: expected less than %d", p, mesh.Partitions)
		}
		d[p] = binary.BigEndian.Uint64(b[2:])
	}
	return d, nil
}
