package exec

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// ModuleSource gives the bytes of a WebAssembly module by its hash, the hex
// SHA-256 that mesh.FuncInfo names. The executor checks that they fit.
type ModuleSource interface {
	Module(ctx context.Context, hash string) ([]byte, error)
}

// Options say how an executor runs. Zero means the default.
type Options struct {
	// CacheDir holds compiled modules, over restarts. Empty keeps them in memory only.
	CacheDir string
	// Modules is where modules come from. Without it, functions of modules are Unavailable.
	Modules ModuleSource
	// Concurrency bounds the invocations that run at once; those that wait
	// for a call of their own, or for a message, do not count. Default 1024.
	Concurrency int
	// Queue bounds the invocations beyond those: together, at most
	// Concurrency plus Queue are under way. Default 4096.
	Queue int
	// Limits are those of functions that bring none. Defaults: 128 MiB, 30 s,
	// no bound of concurrency but the node's.
	Limits mesh.Limits
	// Memory bounds the linear memory of all WebAssembly instances together,
	// idle ones included. Default 2 GiB.
	Memory uint64
	// CompiledModules bounds how many modules are kept ready to run. Default 64.
	CompiledModules int
	// Log receives the output of guests, and the stacks of panics. Default: slog.Default.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.Concurrency, 1024)
	setDefault(&o.Queue, 4096)
	setDefault(&o.Limits.Memory, 128<<20)
	setDefault(&o.Limits.Time, 30*time.Second)
	setDefault(&o.Memory, 2<<30)
	setDefault(&o.CompiledModules, 64)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Invocation is one call of a function.
type Invocation struct {
	// ID is where messages to it go. With a zero Run one is drawn. While an
	// invocation runs, another of its ID is a Conflict.
	ID   mesh.InvocationID
	Func mesh.FuncInfo
	// Args are shared with the caller and are not changed.
	Args []mesh.Value
	// Library is what the function can reach. Its ID, Namespace and Recv are
	// not used: the executor answers these itself. May be nil.
	Library fn.Library
}

// Executor runs functions. It is safe for concurrent use.
type Executor struct {
	options   Options
	log       *slog.Logger
	node      gate
	own       gates
	functions functions
	modules   *modules

	mu      sync.Mutex
	closed  bool
	running map[mesh.InvocationID]*running
	done    sync.WaitGroup // one for each in running
}

// New makes an executor. It fails if CacheDir cannot be used.
func New(options Options) (*Executor, error) {
	options = options.withDefaults()
	e := &Executor{
		options: options,
		log:     options.Log,
		node:    gate{limit: options.Concurrency, queue: options.Queue},
		own:     gates{queue: options.Queue, byRef: map[mesh.FuncRef]*sharedGate{}},
		running: map[mesh.InvocationID]*running{},
	}
	e.functions.byName = map[name]*local{}
	var err error
	e.modules, err = newModules(options)
	return e, err
}

// Close cancels what runs, waits for it, and frees all sandboxes. A native
// function that does not heed its context is waited for all the same.
func (e *Executor) Close() error {
	e.mu.Lock()
	e.closed = true
	for _, r := range e.running {
		r.clock.end()
	}
	e.mu.Unlock()
	e.modules.stopLoading()
	e.done.Wait()
	return e.modules.close()
}

// Invoke runs a function in the caller's goroutine and gives its result,
// which must not be changed. The function sees a context that ends with ctx,
// and at its limit of time, which counts from when it has its place. Beyond
// the limits of concurrency and queue it is Overloaded at once.
func (e *Executor) Invoke(ctx context.Context, inv Invocation) (mesh.Value, error) {
	result, err := e.invoke(ctx, inv)
	if err == nil {
		return result, nil
	}
	if ctx.Err() == nil && mesh.KindOf(err) == mesh.Cancelled && e.isClosed() {
		err = errClosed
	}
	return mesh.Value{}, e.explain(inv.Func.Ref, err)
}

func (e *Executor) invoke(ctx context.Context, inv Invocation) (mesh.Value, error) {
	r := e.newRunning(inv)
	if err := e.begin(r); err != nil {
		return mesh.Value{}, err
	}
	defer e.end(r)
	target, err := e.target(ctx, inv.Func)
	if err != nil {
		return mesh.Value{}, err
	}
	defer target.release()
	r.limits = firstOf(inv.Func.Limits, target.limits(), e.options.Limits)
	if r.limits.Concurrency > 0 {
		r.own = e.own.borrow(r.function.Ref, r.limits.Concurrency)
		defer e.own.giveBack(r.function.Ref, r.own)
	}
	if err := r.enter(ctx); err != nil {
		return mesh.Value{}, err
	}
	defer r.leave()
	if err := e.startClock(ctx, r); err != nil {
		return mesh.Value{}, err
	}
	defer r.clock.end()
	result, err := target.run(fn.WithLibrary(&r.clock, r), r, inv.Args)
	if err != nil {
		return mesh.Value{}, blame(ctx, r, err)
	}
	return result, nil
}

// startClock begins what Close ends, unless it has been called meanwhile.
func (e *Executor) startClock(ctx context.Context, r *running) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errClosed
	}
	r.clock.start(ctx, min(r.limits.Time, mesh.MaxFuncTime))
	return nil
}

func (e *Executor) newRunning(inv Invocation) *running {
	r := &running{Library: inv.Library, id: inv.ID, function: inv.Func, node: &e.node}
	if r.Library == nil {
		r.Library = noLibrary{}
	}
	if r.id.Run == (mesh.RunID{}) {
		r.id.Run = mesh.NewRunID()
	}
	return r
}

// firstOf takes each limit from the first that has it.
func firstOf(all ...mesh.Limits) (limits mesh.Limits) {
	for _, l := range all {
		setDefault(&limits.Memory, l.Memory)
		setDefault(&limits.Time, l.Time)
		setDefault(&limits.Concurrency, l.Concurrency)
	}
	return limits
}

// begin makes r known to Deliver and to Close.
func (e *Executor) begin(r *running) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return errClosed
	case len(e.running) >= e.options.Concurrency+e.options.Queue:
		return mesh.Errorf(mesh.Overloaded, "", "%d invocations are under way, which is as many as may", len(e.running))
	case e.running[r.id] != nil:
		return mesh.Errorf(mesh.Conflict, "", "invocation %v runs already", r.id)
	}
	e.running[r.id] = r
	e.done.Add(1)
	return nil
}

func (e *Executor) end(r *running) {
	e.mu.Lock()
	delete(e.running, r.id)
	e.mu.Unlock()
	e.done.Done()
}

var errClosed = mesh.Errorf(mesh.Unavailable, "", "this node is shutting down")

// blame says so when it was the limit of time that ended r, and not ctx.
func blame(ctx context.Context, r *running, err error) error {
	if mesh.KindOf(err) == mesh.DeadlineExceeded && r.clock.own && r.clock.Err() != nil && ctx.Err() == nil {
		return mesh.Errorf(mesh.DeadlineExceeded, "", "it ran longer than its limit of %v", r.limits.Time)
	}
	return err
}

func (e *Executor) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// explain names the function in err, and writes the stack of a panic to the log.
func (e *Executor) explain(ref mesh.FuncRef, err error) error {
	var panicked *fn.Panic
	if errors.As(err, &panicked) {
		e.log.Error("a function panicked", "function", ref.String(), "panic", panicked.Value, "stack", string(panicked.Stack))
	}
	return mesh.AsError("call "+ref.String(), err)
}

// Running is how many invocations are under way.
func (e *Executor) Running() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.running)
}

// Deliver puts a message into the inbox of an invocation that runs here.
// With no such invocation it is NotFound, with a full inbox Overloaded.
func (e *Executor) Deliver(to mesh.InvocationID, m fn.Message) error {
	r, err := e.find(to)
	if err == nil {
		err = r.inbox.put(m)
	}
	if err != nil {
		return mesh.AsError("deliver to "+to.String(), err)
	}
	return nil
}

// Library gives the library of an invocation that runs here, for a worker
// that runs it in another process; NotFound when it does not run here.
func (e *Executor) Library(id mesh.InvocationID) (fn.Library, error) {
	r, err := e.find(id)
	if err != nil {
		return nil, mesh.AsError("library of "+id.String(), err)
	}
	return r, nil
}

func (e *Executor) find(id mesh.InvocationID) (*running, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.running[id]
	if r == nil {
		return nil, mesh.Errorf(mesh.NotFound, "", "no such invocation runs on this node: it has ended, or never began")
	}
	return r, nil
}
