package sdk

import (
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// ownerBook remembers which nodes own which partition, as nodes that own no
// copy of a key said when they were asked for it. It may be wrong: a node that
// is taken for an owner corrects it, and answers all the same. It is bounded by
// the number of partitions. Its zero value knows nothing.
type ownerBook struct {
	pages atomic.Pointer[[mesh.Partitions]atomic.Pointer[[]mesh.NodeID]]
}

// maxOwners bounds how many owners of a partition are remembered.
const maxOwners = 8

// Of gives the owners of the key that a request is about, the closest first;
// none where they are not known or there is no such key.
func (b *ownerBook) Of(req wire.Message) []mesh.NodeID {
	pages := b.pages.Load()
	if pages == nil {
		return nil
	}
	key, ok := keyOf(req)
	if !ok {
		return nil
	}
	if owners := pages[key.Partition()].Load(); owners != nil {
		return *owners
	}
	return nil
}

// Heed remembers the owners that an answer tells.
func (b *ownerBook) Heed(req, reply wire.Message) {
	var told [][]byte
	switch reply := reply.(type) {
	case *pb.GetReply:
		told = reply.Owners
	case *pb.PutReply:
		told = reply.Owners
	}
	key, ok := keyOf(req)
	if len(told) == 0 || len(told) > maxOwners || !ok {
		return
	}
	owners := make([]mesh.NodeID, len(told))
	for i, id := range told {
		owners[i] = mesh.NodeID(id)
	}
	if b.pages.Load() == nil {
		b.pages.CompareAndSwap(nil, new([mesh.Partitions]atomic.Pointer[[]mesh.NodeID]))
	}
	b.pages.Load()[key.Partition()].Store(&owners)
}

// keyOf is the key that a request is about, of those that owners answer best.
func keyOf(req wire.Message) (mesh.Key, bool) {
	var key *pb.Key
	switch req := req.(type) {
	case *pb.Get:
		key = req.Key
	case *pb.GetElement:
		key = req.Key
	case *pb.Put:
		key = req.Key
	case *pb.Delete:
		key = req.Key
	}
	if key == nil {
		return mesh.Key{}, false
	}
	return mesh.Key{Namespace: key.Namespace, Name: key.Name}, true
}
