package run

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// play delivers letters in any order, some twice, and finishes invocations
// in any order, until nothing is left to do. Step is called in between; it
// reports whether it did something itself.
func (w *world) play(r *rand.Rand, step func() bool) {
	delivered := 0
	pending := make([]int, 0, len(w.mail))
	for {
		for ; delivered < len(w.mail); delivered++ {
			pending = append(pending, delivered)
			if r.IntN(4) == 0 {
				pending = append(pending, delivered)
			}
		}
		running := w.running()
		if len(pending)+len(running) == 0 {
			if step() {
				continue
			}
			return
		}
		if at := r.IntN(len(pending) + len(running)); at < len(pending) {
			l := w.mail[pending[at]]
			pending = slices.Delete(pending, at, at+1)
			w.receive(l)
		} else {
			w.finish(running[at-len(pending)].node, running[at-len(pending)].task)
		}
		step()
	}
}

type invoked struct {
	node mesh.NodeID
	task
}

// running lists what runs, in a fixed order.
func (w *world) running() (list []invoked) {
	for id, n := range w.nodes {
		for t := range n.running {
			list = append(list, invoked{id, t})
		}
	}
	slices.SortFunc(list, func(a, b invoked) int {
		if a.node != b.node {
			return strings.Compare(string(a.node), string(b.node))
		}
		if a.stage != b.stage {
			return a.stage - b.stage
		}
		return a.parent - b.parent
	})
	return list
}
