package web

import (
	"sync"

	"github.com/virga-mesh/virga/mesh"
)

// violations counts, by level, the replies that timelines had without their
// original.
type violations struct {
	mu sync.Mutex
	of map[mesh.Consistency]int
}

func (v *violations) add(level mesh.Consistency, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.of == nil {
		v.of = map[mesh.Consistency]int{}
	}
	v.of[level] += n
}

// counts gives them for the levels that timelines were read at, by name.
func (v *violations) counts() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	counts := map[string]int{}
	for level, n := range v.of {
		counts[level.String()] = n
	}
	return counts
}
