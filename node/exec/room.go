package exec

import "github.com/virga-mesh/virga/mesh"

// Room says how many more invocations of a function could run now without
// waiting, and how many at most.
func (e *Executor) Room(fn mesh.FuncInfo) (free, limit int) {
	free, limit = e.node.room()
	if own := fn.Limits.Concurrency; own > 0 {
		free, limit = min(free, e.own.room(fn.Ref, own)), min(limit, own)
	}
	return free, limit
}

func (g *gate) room() (free, limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.limit-g.running-g.waiting.len), g.limit
}

// room is what the gate of a function leaves free, if one is in use.
func (g *gates) room(ref mesh.FuncRef, limit int) int {
	g.mu.Lock()
	shared := g.byRef[ref]
	g.mu.Unlock()
	if shared == nil {
		return limit
	}
	free, _ := shared.room()
	return free
}
