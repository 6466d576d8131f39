package exec

import (
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/virga-mesh/virga/mesh"
)

// module is one compiled module and its idle instances. Its owner's lock
// guards what is below mu's comment.
type module struct {
	owner    *modules
	hash     string
	kind     mesh.FuncKind
	compiled wazero.CompiledModule
	names    []string // of its functions, in the order of their indices
	formats  uint32   // bit n is set if it reads mesh.Format n

	// Guarded by owner.mu:
	users  int
	gone   bool
	adding bool          // instances, in the background
	place  *list.Element // in owner.recent
	idle   []*instance   // the last one used last
	warmth warmth
}

// build compiles a module and looks into it. A module of the guest ABI is
// started once, which also leaves a warm instance.
func (m *modules) build(ctx context.Context, hash string, wasm []byte) (*module, error) {
	if err := checkHeader(wasm); err != nil {
		return nil, err
	}
	if err := checkTables(wasm); err != nil {
		return nil, err
	}
	compiled, err := m.compile(ctx, wasm)
	if err != nil {
		return nil, err
	}
	mod := &module{owner: m, hash: hash, compiled: compiled}
	if mod.kind, err = checkShape(m.runtime, compiled); err == nil {
		err = mod.checkMemory(m.options.Limits.Memory)
	}
	if err == nil && mod.kind == mesh.Wasm {
		err = mod.try(ctx)
	}
	if err != nil {
		compiled.Close(ctx)
		return nil, err
	}
	return mod, nil
}

// initialMemory is what an instance starts with, in bytes.
func (mod *module) initialMemory() uint64 {
	const page = 64 << 10
	return uint64(mod.compiled.ExportedMemories()[memoryExport].Min()) * page
}

func (mod *module) checkMemory(limit uint64) error {
	if mod.initialMemory() > limit {
		return invalidModule("it starts with %d bytes of memory: expected at most %d", mod.initialMemory(), limit)
	}
	return nil
}

// try starts an instance to ask what the module offers.
func (mod *module) try(ctx context.Context) error {
	limits := mod.owner.options.Limits
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	in, err := mod.instantiate(ctx, limits.Memory)
	if err == nil {
		if err = in.describe(ctx, mod); err == nil {
			mod.put(in)
			return nil
		}
		in.free()
	}
	e := mesh.AsError("", err)
	if e.Kind != mesh.UserError {
		return e
	}
	return invalidModule("it does not start: %s", e.Text())
}

// target finds a function in the module.
func (mod *module) target(info mesh.FuncInfo, loading time.Duration) (target, error) {
	if mod.kind != info.Kind {
		return nil, mesh.Errorf(mesh.Invalid, "", "the module is a %v: expected a %v", mod.kind, info.Kind)
	}
	if mod.kind == mesh.Command {
		return command{mod, loading}, nil
	}
	export := info.Export
	if export == "" {
		export = info.Ref.Name
	}
	index := slices.Index(mod.names, export)
	if index < 0 && info.Export == "" && len(mod.names) == 1 {
		index = 0
	}
	if index < 0 {
		return nil, mesh.Errorf(mesh.NotFound, "", "the module has no function %q: it has %s", export, enumerate(mod.names))
	}
	return guest{mod, uint32(index), loading}, nil
}

// take gives an idle instance whose memory is within limit, or a new one and
// how long that took. It is in use until giveBack or spoil.
func (mod *module) take(ctx context.Context, limit uint64) (*instance, time.Duration, error) {
	for first := true; ; first = false {
		in := mod.takeIdle(first)
		switch {
		case in == nil:
			return mod.takeNew(ctx, limit)
		case uint64(len(in.memory.bytes)) <= limit:
			in.memory.limit = limit
			return in, 0, nil
		}
		in.free()
	}
}

func (mod *module) takeNew(ctx context.Context, limit uint64) (*instance, time.Duration, error) {
	began := time.Now()
	in, err := mod.instantiate(ctx, limit)
	if err != nil {
		mod.owner.mu.Lock()
		mod.warmth.end()
		mod.owner.mu.Unlock()
	}
	return in, time.Since(began), err
}

// takeIdle takes an idle instance out, if there is one; use says that what
// the caller gets in the end is used.
func (mod *module) takeIdle(use bool) *instance {
	mod.owner.mu.Lock()
	defer mod.owner.mu.Unlock()
	if use {
		mod.warmth.begin()
	}
	if len(mod.idle) == 0 {
		return nil
	}
	in := mod.idle[len(mod.idle)-1]
	mod.takeOut(in)
	return in
}

// takeOut removes an instance from the idle ones. The caller holds the lock.
func (mod *module) takeOut(in *instance) {
	mod.owner.idle.Remove(in.place)
	in.place = nil
	if last := len(mod.idle) - 1; mod.idle[last] == in {
		mod.idle = mod.idle[:last]
		return
	}
	mod.idle = slices.DeleteFunc(mod.idle, func(other *instance) bool { return other == in })
}

// giveBack keeps an instance for the next call. One whose time was up, or
// whose caller has gone, may have been marked as closed, and is freed; so is a
// surplus one.
func (mod *module) giveBack(ctx context.Context, in *instance) {
	mod.owner.mu.Lock()
	mod.warmth.end()
	if keep := ctx.Err() == nil && in.watch.Err() == nil && !mod.gone && !mod.owner.closed && mod.warmth.total <= mod.owner.options.Warm.Most; !keep {
		mod.owner.mu.Unlock()
		in.free()
		return
	}
	defer mod.owner.mu.Unlock()
	mod.idle = append(mod.idle, in)
	in.place = mod.owner.idle.PushBack(in)
}

// spoil ends an instance after its use, which went wrong.
func (mod *module) spoil(in *instance) {
	mod.owner.mu.Lock()
	mod.warmth.end()
	mod.owner.mu.Unlock()
	in.free()
}

// free ends a module that nothing uses any more.
func (mod *module) free() {
	for in := mod.takeIdle(false); in != nil; in = mod.takeIdle(false) {
		in.free()
	}
	mod.compiled.Close(context.Background())
}

// use notes that a module was used that has no instances.
func (mod *module) use() {
	mod.owner.mu.Lock()
	defer mod.owner.mu.Unlock()
	mod.warmth.peak = max(mod.warmth.peak, 1)
}
