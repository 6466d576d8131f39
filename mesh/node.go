package mesh

import (
	"cmp"
	"crypto/sha256"

	"github.com/mr-tron/base58"
)

// NodeID identifies a node or a client: the binary form of its libp2p peer
// id, which is derived from its ed25519 public key. It is comparable and
// holds no pointer but the string's.
type NodeID string

// String is the usual text form of a libp2p peer id (base58).
func (n NodeID) String() string { return base58.Encode([]byte(n)) }

// Short is an abbreviation for logs and tables; it is not unique.
func (n NodeID) Short() string {
	s := n.String()
	if len(s) > 8 {
		return s[len(s)-8:]
	}
	return s
}

// ParseNodeID reads what String writes.
func ParseNodeID(s string) (NodeID, error) {
	raw, err := base58.Decode(s)
	if err != nil || len(raw) == 0 {
		return "", Errorf(Invalid, "parse node id", "%q is not a node id: expected a base58 libp2p peer id", s)
	}
	return NodeID(raw), nil
}

// ID is a point in the Kademlia space of 256 bits: where a key or a node lies.
type ID [sha256.Size]byte

// ID is the node's place in the Kademlia space, the same that libp2p's kad-dht gives it.
func (n NodeID) ID() ID { return sha256.Sum256([]byte(n)) }

// CompareDistance orders a and b by their XOR distance to target: negative
// when a is closer. (Maymounkov and Mazières, Kademlia, section 2.1.)
func CompareDistance(target, a, b ID) int {
	for i := range target {
		if c := cmp.Compare(a[i]^target[i], b[i]^target[i]); c != 0 {
			return c
		}
	}
	return 0
}
