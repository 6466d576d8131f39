package exec

import (
	"cmp"
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Worker runs functions in another process. It gives Unavailable once that is gone.
type Worker interface {
	// Invoke runs one function there. Library is that of the running
	// invocation, to be reached by the worker while Invoke lasts.
	Invoke(ctx context.Context, inv Invocation) (mesh.Value, error)
}

// target is what an invocation runs. It stays usable until release.
type target interface {
	run(ctx context.Context, r *running, args []mesh.Value) (mesh.Value, error)
	limits() mesh.Limits
	release()
}

// name is a function without its version: a process has one implementation of it.
type name struct{ namespace, name string }

func nameOf(ref mesh.FuncRef) name { return name{ref.Namespace, ref.Name} }

// functions are those that only this node can run.
type functions struct {
	mu     sync.RWMutex
	byName map[name]*local
}

// local is a function brought by this process or by workers attached to it.
type local struct {
	ref     mesh.FuncRef
	native  *native
	workers []Worker
	next    atomic.Uint32 // takes turns among the workers
}

// Handle makes raw what runs for ref, whatever its version. Limits may leave
// fields zero. A second Handle of a name is a Conflict.
func (e *Executor) Handle(ref mesh.FuncRef, raw fn.Raw, limits mesh.Limits) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	e.functions.mu.Lock()
	defer e.functions.mu.Unlock()
	f := e.functions.at(ref)
	if f.native != nil {
		return mesh.Errorf(mesh.Conflict, "handle "+ref.String(), "the function has a handler already")
	}
	f.native = &native{raw: raw, bounds: limits}
	return nil
}

// Attach adds a worker that runs ref. Several take turns.
func (e *Executor) Attach(ref mesh.FuncRef, w Worker) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	e.functions.mu.Lock()
	defer e.functions.mu.Unlock()
	f := e.functions.at(ref)
	if !slices.Contains(f.workers, w) {
		f.workers = append(slices.Clone(f.workers), w)
	}
	return nil
}

// Detach removes a worker. What it runs goes on.
func (e *Executor) Detach(ref mesh.FuncRef, w Worker) {
	e.functions.mu.Lock()
	defer e.functions.mu.Unlock()
	f := e.functions.byName[nameOf(ref)]
	if f == nil {
		return
	}
	f.workers = slices.DeleteFunc(slices.Clone(f.workers), func(other Worker) bool { return other == w })
	if f.native == nil && len(f.workers) == 0 {
		delete(e.functions.byName, nameOf(ref))
	}
}

// Hosts lists the native and worker functions that run here, by namespace and name.
func (e *Executor) Hosts() []mesh.FuncRef {
	e.functions.mu.RLock()
	defer e.functions.mu.RUnlock()
	refs := make([]mesh.FuncRef, 0, len(e.functions.byName))
	for _, f := range e.functions.byName {
		refs = append(refs, f.ref)
	}
	slices.SortFunc(refs, func(a, b mesh.FuncRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return refs
}

// Runs reports whether a native function or worker of this name runs here.
func (e *Executor) Runs(ref mesh.FuncRef) bool {
	e.functions.mu.RLock()
	defer e.functions.mu.RUnlock()
	return e.functions.byName[nameOf(ref)] != nil
}

func (f *functions) at(ref mesh.FuncRef) *local {
	entry := f.byName[nameOf(ref)]
	if entry == nil {
		entry = &local{ref: mesh.FuncRef{Namespace: ref.Namespace, Name: ref.Name}}
		f.byName[nameOf(ref)] = entry
	}
	return entry
}

// target finds what runs a function.
func (e *Executor) target(ctx context.Context, info mesh.FuncInfo) (target, error) {
	switch info.Kind {
	case mesh.Native, mesh.Worker:
		return e.functions.target(info)
	case mesh.Wasm, mesh.Command:
		return e.modules.target(ctx, info)
	}
	return nil, mesh.Errorf(mesh.Invalid, "", "kind %d: expected native, worker, wasm or command", info.Kind)
}

func (f *functions) target(info mesh.FuncInfo) (target, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	entry := f.byName[nameOf(info.Ref)]
	switch {
	case entry != nil && info.Kind == mesh.Native && entry.native != nil:
		return entry.native, nil
	case entry != nil && info.Kind == mesh.Worker && len(entry.workers) > 0:
		turn := entry.next.Add(1)
		return remote{entry.workers[turn%uint32(len(entry.workers))]}, nil
	}
	return nil, mesh.Errorf(mesh.Unavailable, "", "no %v function of that name is on this node", info.Kind)
}

// native runs in the caller's goroutine.
type native struct {
	raw    fn.Raw
	bounds mesh.Limits
}

func (n *native) limits() mesh.Limits { return n.bounds }

func (n *native) release() {}

func (n *native) run(ctx context.Context, _ *running, args []mesh.Value) (result mesh.Value, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &mesh.Error{Kind: mesh.UserError, Err: &fn.Panic{Value: value, Stack: debug.Stack()}}
		}
	}()
	return n.raw(ctx, args)
}

// remote hands an invocation to a worker.
type remote struct{ worker Worker }

func (remote) limits() mesh.Limits { return mesh.Limits{} }

func (remote) release() {}

func (w remote) run(ctx context.Context, r *running, args []mesh.Value) (mesh.Value, error) {
	return w.worker.Invoke(ctx, Invocation{ID: r.id, Func: r.function, Args: args, Library: r, Work: r.work, In: r.in})
}
