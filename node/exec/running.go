package exec

import (
	"context"
	"log/slog"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/effects"
	"github.com/virga-mesh/virga/sdk/fn"
)

// running is one invocation under way, and the library that its function sees:
// the node's, with the parts that concern the invocation itself.
type running struct {
	fn.Library
	id       mesh.InvocationID
	caller   string
	function mesh.FuncInfo
	work     effects.Work
	in       mesh.Session
	limits   mesh.Limits
	inbox    inbox
	node     *gate
	own      *sharedGate // nil if the function has no limit of its own
	clock    runContext
	cold     time.Duration // that making ready what it runs took; 0: it was warm

	// For guests: the context of what they ask of the library, where their
	// words go, and the formats that they read.
	ctx     context.Context
	output  *output
	formats uint32
	// held is the last answer to a guest, until it takes it. Only the
	// goroutine that runs the guest touches it.
	held   []byte
	opened opened

	emitted mesh.Value // what the function made of its result in pieces
}

// enterGuest readies an instance for r.
func (r *running) enterGuest(ctx context.Context, in *instance) {
	r.ctx, r.formats = ctx, in.module.formats
	in.clock.ctx = ctx
	in.memory.denied = nil
	r.attach(in.out, in.module.owner.options.Log)
}

// attach sends what a guest writes to the log, under the name of its function.
func (r *running) attach(out *output, log *slog.Logger) {
	r.output = out
	out.begin(log, r)
}

func (r *running) ID() mesh.InvocationID { return r.id }

func (r *running) Namespace() string { return r.function.Ref.Namespace }

// Call does not count against the limits while it waits, so that functions
// that call each other, or themselves, never wait for a place that they hold.
func (r *running) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	r.leave()
	defer r.reenter()
	return r.Library.Call(ctx, ref, args)
}

// CallDAG does not count against the limits while it waits.
func (r *running) CallDAG(ctx context.Context, dag mesh.FuncRef, args []fn.StageArg) (mesh.Value, error) {
	r.leave()
	defer r.reenter()
	return r.Library.CallDAG(ctx, dag, args)
}

// Await does not count against the limits while it waits.
func (r *running) Await(ctx context.Context, id mesh.RunID, noWait bool) (mesh.RunState, mesh.Value, error) {
	if noWait {
		return r.Library.Await(ctx, id, true)
	}
	r.leave()
	defer r.reenter()
	return r.Library.Await(ctx, id, false)
}

// Recv does not count against the limits while it waits, either: the sender
// may need the place.
func (r *running) Recv(ctx context.Context, wait time.Duration) ([]fn.Message, error) {
	messages, _ := r.inbox.drain()
	if messages != nil || wait <= 0 {
		return messages, nil
	}
	r.leave()
	defer r.reenter()
	for {
		slice := min(wait, lookEvery)
		messages, err := r.inbox.await(ctx, slice)
		if wait -= slice; messages != nil || err != nil || wait <= 0 {
			return messages, err
		}
		if _, err := r.Library.Recv(ctx, 0); err != nil {
			return nil, err
		}
	}
}

// lookEvery is how often an invocation that waits for messages lets its
// Library look for those that were left somewhere for it.
const lookEvery = time.Second

// enter takes the function's place before the node's: who waits for the
// former must not hold the latter.
func (r *running) enter(ctx context.Context) error {
	if r.own != nil {
		if err := r.own.enter(ctx, r.caller); err != nil {
			return err
		}
	}
	if err := r.node.enter(ctx, r.caller); err != nil {
		if r.own != nil {
			r.own.leave()
		}
		return err
	}
	return nil
}

func (r *running) leave() {
	r.node.leave()
	if r.own != nil {
		r.own.leave()
	}
}

// noteHeld tells the gates for how long r had its places.
func (r *running) noteHeld(d time.Duration) {
	r.node.pace.held(d)
	if r.own != nil {
		r.own.pace.held(d)
	}
}

func (r *running) reenter() {
	r.node.reenter()
	if r.own != nil {
		r.own.reenter()
	}
}
