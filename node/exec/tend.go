package exec

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Keep is a function of which instances are to be ready whatever the load.
type Keep struct {
	Func      mesh.FuncInfo
	Instances int
}

// Tend lets the instances that are ready follow the load: it is to be called
// every second or so. What is in keep is loaded where need be, and kept until
// a Tend without it. What is added starts in the background.
func (e *Executor) Tend(now time.Time, keep []Keep) {
	floors := map[string]int{}
	for _, k := range keep {
		if k.Func.Kind.Anywhere() && k.Instances > 0 {
			floors[k.Func.Module] = max(floors[k.Func.Module], k.Instances)
			e.usages.of(&k.Func) // so that it is told of
		}
	}
	e.modules.tend(now, floors)
}

// tend also loads modules that have a floor and are not there.
func (m *modules) tend(now time.Time, floors map[string]int) {
	for hash := range floors {
		if mod, _, err := m.lookUp(hash); err == nil && mod != nil {
			m.release(mod)
		}
	}
	m.mu.Lock()
	var surplus []*instance
	var idle []*module
	for hash, mod := range m.byHash {
		mod.warmth.floor = floors[hash]
		want := mod.warmth.look(now, m.options.Warm)
		surplus = append(surplus, mod.takeSurplus(want)...)
		switch {
		case mod.users == 0 && mod.warmth.isIdle(now, m.options.Warm):
			m.recent.Remove(mod.place)
			delete(m.byHash, hash)
			mod.gone = true
			idle = append(idle, mod)
		case mod.kind == mesh.Wasm && want > mod.warmth.total && !mod.adding && !m.closed:
			mod.adding = true
			mod.users++
			m.loads.Add(1)
			go m.fill(mod, want)
		}
	}
	m.mu.Unlock()
	for _, in := range surplus {
		in.free()
	}
	for _, mod := range idle {
		m.drop(mod)
	}
}

// takeSurplus takes out the instances beyond want that have been idle
// longest. The caller holds the lock.
func (mod *module) takeSurplus(want int) (out []*instance) {
	for mod.warmth.total-len(out) > want && len(mod.idle) > 0 {
		in := mod.idle[0]
		mod.takeOut(in)
		out = append(out, in)
	}
	return out
}

// fill starts instances until there are want.
func (m *modules) fill(mod *module, want int) {
	defer m.loads.Done()
	defer m.release(mod)
	for m.lacks(mod, want) {
		ctx, cancel := context.WithTimeout(m.ctx, m.options.Limits.Time)
		in, err := mod.instantiate(ctx, m.options.Limits.Memory)
		cancel()
		if err != nil {
			m.options.Log.Debug("a warm instance was not started", "module", mod.hash, "err", err)
			break
		}
		in.clock.ctx = m.ctx
		mod.put(in)
	}
	m.mu.Lock()
	mod.adding = false
	m.mu.Unlock()
}

func (m *modules) lacks(mod *module, want int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.closed && !mod.gone && mod.warmth.total < want
}

// put makes an instance that has not been used idle.
func (mod *module) put(in *instance) {
	mod.owner.mu.Lock()
	defer mod.owner.mu.Unlock()
	mod.idle = append(mod.idle, in)
	in.place = mod.owner.idle.PushBack(in)
}
