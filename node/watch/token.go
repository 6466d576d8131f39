package watch

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// place is a place in the changes of one node.
type place struct {
	incarnation uint64
	next        uint64
}

// nodeTag stands for a node in a token: the first bytes of its id in the
// Kademlia space.
type nodeTag [8]byte

func tagOf(node mesh.NodeID) nodeTag {
	id := node.ID()
	return nodeTag(id[:])
}

// places are where a watcher stands, by node. Those of nodes that are away
// are kept: they may come back without having forgotten anything.
type places map[nodeTag]place

// maxPlaces bounds a token. A watch of a prefix needs one place for each live node.
const maxPlaces = 1024

// maxToken is the size of the largest token, in bytes.
const maxToken = maxPlaces*40 + 64

// encodeToken encodes places. Beyond the bound those of nodes that are not
// live are left out.
func encodeToken(s scope, p places, live []mesh.NodeID) ([]byte, error) {
	token := &pb.WatchToken{Scope: s.digest()}
	add := func(tag nodeTag) {
		if at, has := p[tag]; has && len(token.Positions) < maxPlaces {
			token.Positions = append(token.Positions, &pb.WatchPosition{
				Node: slices.Clone(tag[:]), Incarnation: at.incarnation, Next: at.next,
			})
		}
	}
	isLive := make(map[nodeTag]bool, len(live))
	for _, node := range live {
		isLive[tagOf(node)] = true
		add(tagOf(node))
	}
	for tag := range p {
		if !isLive[tag] {
			add(tag)
		}
	}
	slices.SortFunc(token.Positions, func(a, b *pb.WatchPosition) int { return bytes.Compare(a.Node, b.Node) })
	return proto.Marshal(token)
}

// decodeToken reads what encodeToken gives, for the same scope.
func decodeToken(s scope, encoded []byte) (places, error) {
	invalid := func(what string) error {
		return mesh.Errorf(mesh.Invalid, "watch", "the token %s: expected one that a watch of the same keys gave", what)
	}
	if len(encoded) > maxToken {
		return nil, invalid("is too long")
	}
	var token pb.WatchToken
	if err := proto.Unmarshal(encoded, &token); err != nil || len(token.Positions) > maxPlaces {
		return nil, invalid("cannot be read")
	}
	if !bytes.Equal(token.Scope, s.digest()) {
		return nil, invalid("is of other keys")
	}
	p := make(places, len(token.Positions))
	for _, at := range token.Positions {
		if len(at.Node) != len(nodeTag{}) || at.Incarnation == 0 {
			return nil, invalid("is damaged")
		}
		tag := nodeTag(at.Node)
		p[tag] = place{at.Incarnation, at.Next}
	}
	return p, nil
}
