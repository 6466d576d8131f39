package cellmap

import (
	"sync"

	"github.com/virga-mesh/virga/lattice"
)

// births lets cells that were born at one moment share the memory for it:
// there are few such moments, and millions of cells.
type births struct {
	mu    sync.RWMutex
	known map[uint64]lattice.Birth // by the time of the birth
}

// maxBirths bounds how many are known. What was shared before stays so.
const maxBirths = 1 << 14

func (b *births) share(cell lattice.Cell) lattice.Cell {
	own, born := cell.Birth()
	if !born {
		return cell
	}
	at := cell.Began().Time
	b.mu.RLock()
	known, ok := b.known[at]
	b.mu.RUnlock()
	if ok {
		return cell.WithBirth(known)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) == maxBirths {
		b.known = make(map[uint64]lattice.Birth)
	}
	b.known[at] = own
	return cell
}
