package trigger

import (
	"strings"
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// Notes are of triggers whose records in this node's store changed, until
// they are looked at. They are safe for concurrent use.
type Notes struct {
	mu    sync.Mutex
	names map[string]bool // of records
	view  bool            // nodes came or went
	some  chan struct{}   // holds one while there are notes
}

// NewNotes makes empty ones.
func NewNotes() *Notes {
	return &Notes{names: make(map[string]bool), some: make(chan struct{}, 1)}
}

// Changed says that a key's cell grew in the store. It is quick.
func (n *Notes) Changed(key mesh.Key) {
	if key.Namespace == mesh.SystemNamespace && strings.HasPrefix(key.Name, definitions) {
		n.note(key.Name)
	}
}

func (n *Notes) note(record string) {
	n.mu.Lock()
	n.names[record] = true
	n.mu.Unlock()
	n.tell()
}

// ViewChanged says that nodes came or went.
func (n *Notes) ViewChanged() {
	n.mu.Lock()
	n.view = true
	n.mu.Unlock()
	n.tell()
}

func (n *Notes) tell() {
	select {
	case n.some <- struct{}{}:
	default:
	}
}

// take gives the notes, and forgets them.
func (n *Notes) take() (names map[string]bool, view bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	names, view = n.names, n.view
	n.names, n.view = make(map[string]bool), false
	return names, view
}
