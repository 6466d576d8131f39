package lattice

import "bytes"

// content is a payload as a lattice: the lexically larger wins. It serves
// where one dot labels one payload, which only a broken writer makes two.
type content struct {
	payload []byte
}

// Merge keeps the larger.
func (c *content) Merge(other *content) bool {
	if c.Compare(other) != Less {
		return false
	}
	c.payload = other.payload
	return true
}

// Compare never answers Concurrent.
func (c *content) Compare(other *content) Order {
	return Order(bytes.Compare(c.payload, other.payload))
}

// Clone shares the payload, which never changes.
func (c *content) Clone() *content { return &content{payload: c.payload} }

// Size is the memory held.
func (c *content) Size() int { return 24 + len(c.payload) }

// AppendBinary appends the payload alone: who writes it delimits it.
func (c *content) AppendBinary(dst []byte) []byte { return append(dst, c.payload...) }

func decodeContent(d *decoder) *content { return &content{payload: d.rest()} }
