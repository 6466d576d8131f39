package node

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// publishEvery is how often the cache's holdings are told to the other nodes, if they have changed.
const publishEvery = time.Second

// publishHoldings tells the other nodes what this one's cache holds, until
// ctx ends. A node that has just come is told with the next change or, where
// there is none, at once.
func (r *rooms) publishHoldings(ctx context.Context) {
	ticker := time.NewTicker(publishEvery)
	defer ticker.Stop()
	told := map[mesh.NodeID][]byte{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		told = r.tellHoldings(ctx, r.cache.Holdings(), told)
	}
}

// tellHoldings sends holdings to the live nodes that were told otherwise, and
// gives what each was told last.
func (r *rooms) tellHoldings(ctx context.Context, holdings *pb.Holdings, told map[mesh.NodeID][]byte) map[mesh.NodeID][]byte {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(holdings)
	if err != nil {
		return told
	}
	now := make(map[mesh.NodeID][]byte, len(told))
	for _, node := range r.live() {
		before, known := told[node]
		switch {
		case node == r.self:
		case known && bytes.Equal(before, encoded) || !known && len(encoded) == 0:
			now[node] = encoded
		case r.peers.Send(ctx, node, holdings) == nil:
			now[node] = encoded
		}
	}
	return now
}
