package replica

import (
	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// ReplyAsOwner answers a get of a key that this node owns with what it holds,
// which counts as a read.
func (r *Replica) ReplyAsOwner(key mesh.Key, value lattice.Value) *pb.GetReply {
	r.countRead(key, true)
	return &pb.GetReply{Value: value.AppendBinary(nil), Readers: r.readersToTell(key)}
}

func (r *Replica) countRead(key mesh.Key, owner bool) {
	if r.HotKeys != nil {
		r.HotKeys.Read(key, owner)
	}
}

// inTurn gives the owners of a key in the order in which to ask them.
func (r *Replica) inTurn(key mesh.Key, owners []mesh.NodeID) []mesh.NodeID {
	if r.HotKeys == nil {
		return owners
	}
	return r.HotKeys.Order(key, owners)
}

// readersToTell lists who answers gets of a hot key beside its owners.
func (r *Replica) readersToTell(key mesh.Key) (told [][]byte) {
	if r.HotKeys == nil {
		return nil
	}
	for _, reader := range r.HotKeys.Readers(key) {
		told = append(told, []byte(reader))
	}
	return told
}
