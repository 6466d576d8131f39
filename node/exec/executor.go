package exec

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Invocation is one call of a function.
type Invocation struct {
	// ID is where messages to it go. With a zero Run one is drawn. While an
	// invocation runs, another of its ID is a Conflict.
	ID   mesh.InvocationID
	Func mesh.FuncInfo
	// Caller is for whom it runs: where many wait, callers take turns.
	Caller string
	// Args are shared with the caller and are not changed.
	Args []mesh.Value
	// Work is from what the effects have their ids, for workers to know.
	Work effects.Work
	// In is the session in which it reads and writes, for workers to know.
	In mesh.Session
	// Queued is told how long it waited for its place. May be nil.
	Queued func(time.Duration)
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
	loading   atomic.Int64 // invocations that wait for their module
	functions functions
	modules   *modules
	usages    usages
	colds     coldStarts

	mu      sync.Mutex
	closed  bool
	running map[mesh.InvocationID]*running
	callers map[string]int // how many of them run for whom
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
		running: map[mesh.InvocationID]*running{}, callers: map[string]int{},
	}
	e.functions.byName = map[name]*local{}
	e.usages.byRef = map[mesh.FuncRef]*usage{}
	var err error
	if e.modules, err = newModules(options); err != nil {
		return nil, err
	}
	return e, nil
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
	e.loading.Add(1)
	target, err := e.target(ctx, inv.Func)
	e.loading.Add(-1)
	if err != nil {
		return mesh.Value{}, err
	}
	defer target.release()
	r.limits = firstOf(inv.Func.Limits, target.limits(), e.options.Limits)
	if r.limits.Concurrency > 0 {
		r.own = e.own.borrow(r.function.Ref, r.limits.Concurrency)
		defer e.own.giveBack(r.function.Ref, r.own)
	}
	use := e.usages.of(&inv.Func)
	came := time.Now()
	use.wait(came, r.limits.Concurrency)
	if err := r.enter(ctx); err != nil {
		use.giveUp()
		return mesh.Value{}, err
	}
	if inv.Queued != nil {
		inv.Queued(time.Since(came))
	}
	defer r.leave()
	use.start()
	return e.runIn(ctx, r, use, target, inv.Args)
}

// runIn runs a function that has its place.
func (e *Executor) runIn(ctx context.Context, r *running, use *usage, target target, args []mesh.Value) (result mesh.Value, err error) {
	began, bytes := time.Now(), -1
	defer func() {
		now := time.Now()
		r.noteHeld(now.Sub(began))
		use.end(now, now.Sub(began), r.cold, bytes)
		e.colds.note(r.cold)
	}()
	if err := e.startClock(ctx, r); err != nil {
		return mesh.Value{}, err
	}
	defer r.clock.end()
	result, err = target.run(fn.WithLibrary(&r.clock, r), r, args)
	if err == nil {
		result, err = r.whole(result)
	}
	if err != nil {
		return mesh.Value{}, blame(ctx, r, begun(err))
	}
	bytes = len(result.Data)
	return result, nil
}

// begun takes from an error the promise that nothing has begun.
func begun(err error) error {
	if e, ok := err.(*mesh.Error); ok && e.RetryAfter > 0 {
		plain := *e
		plain.RetryAfter = 0
		return &plain
	}
	return err
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
	r := &running{Library: inv.Library, id: inv.ID, caller: inv.Caller, function: inv.Func, work: inv.Work, in: inv.In, node: &e.node}
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
		limits.Memory = cmp.Or(limits.Memory, l.Memory)
		limits.Time = cmp.Or(limits.Time, l.Time)
		limits.Concurrency = cmp.Or(limits.Concurrency, l.Concurrency)
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
	case !e.hasRoom(r.caller):
		return overloaded(e.node.pace.until(len(e.running), e.options.Concurrency), "%d invocations are under way, which is as many as may", len(e.running))
	case e.running[r.id] != nil:
		return mesh.Errorf(mesh.Conflict, "", "invocation %v runs already", r.id)
	}
	e.running[r.id] = r
	e.callers[r.caller]++
	e.done.Add(1)
	return nil
}

// hasRoom reports whether one more invocation may be under way for a caller.
// With the lock held.
func (e *Executor) hasRoom(caller string) bool {
	most, taken := e.options.Concurrency+e.options.Queue, len(e.running)
	if taken < most {
		return true
	}
	has, callers := e.callers[caller], len(e.callers)
	if has == 0 {
		callers++
	}
	return hasShare(has, callers, taken, most)
}

func (e *Executor) end(r *running) {
	e.mu.Lock()
	delete(e.running, r.id)
	if e.callers[r.caller]--; e.callers[r.caller] == 0 {
		delete(e.callers, r.caller)
	}
	e.mu.Unlock()
	e.done.Done()
}

var errClosed = mesh.Errorf(mesh.Unavailable, "", "this node is shutting down")

// blame says so when it was the limit of time that ended r, and not ctx.
func blame(ctx context.Context, r *running, err error) error {
	if mesh.KindOf(err) == mesh.DeadlineExceeded && r.clock.own && !time.Now().Before(r.clock.deadline) && ctx.Err() == nil {
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
func (e *Executor) Deliver(to mesh.InvocationID, m Message) error {
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
