package soak

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// grace passes after a write that was answered by an error, so that one whose
// deadline is about to end at some node does not come after the next.
const grace = 100 * time.Millisecond

// quorum is how many owners a read asks for that is to see every acknowledged write.
const quorum = 2

func (r *run) clientStep(ctx context.Context, client int, step Step) {
	time.Sleep(step.Pause)
	through := r.dialled[client]
	if step.Node != Dialled {
		r.lock.Lock()
		through = sdk.Attach(r.nodes[step.Node])
		r.lock.Unlock()
	}
	through = through.WithState(sdk.StateOptions{ReadQuorum: step.Quorum})
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if step.Verb == Get {
		// An error that is expected says that it may not work now.
		_ = r.look(ctx, through, step)
		return
	}
	r.write(ctx, through, step)
}

func (r *run) write(ctx context.Context, through *sdk.Client, step Step) {
	history := r.histories[step.Key]
	number := history.Begin(step, r.next(), fmt.Sprintf("at %v %s", r.now(), step))
	err := change(ctx, through, step)
	history.End(number, r.next(), err == nil)
	if err == nil {
		r.count(&r.result.Acked)
		return
	}
	r.count(&r.result.Failed)
	r.checkError(step, err)
	time.Sleep(grace)
}

func change(ctx context.Context, c *sdk.Client, step Step) error {
	name := keyName(step.Key)
	switch {
	case step.Verb == Delete:
		return c.Delete(ctx, name)
	case kindOf(step.Key) == Register:
		return sdk.Register[int](c, name).Put(ctx, step.Value)
	case kindOf(step.Key) == Set:
		return sdk.ORSet[int](c, name).Add(ctx, step.Value)
	}
	return sdk.Counter(c, name).Inc(ctx, 1)
}

// look reads a key and checks what it finds. The error is that of the read,
// if there was no answer.
func (r *run) look(ctx context.Context, through *sdk.Client, step Step) error {
	from := r.next()
	seen, err := read(ctx, through, step.Key)
	to := r.next()
	if err != nil {
		r.checkError(step, err)
		return err
	}
	r.count(&r.result.Reads)
	if err := r.histories[step.Key].Check(seen, from, to, step.Quorum >= quorum); err != nil {
		r.violation("%s: %v. Its owners: %s. Its last writes: %s", step, err, r.ownersNow(step.Key), r.histories[step.Key].Recent())
	}
	return nil
}

// checkError tells of errors that no fault explains.
func (r *run) checkError(step Step, err error) {
	switch mesh.KindOf(err) {
	case mesh.Unavailable, mesh.DeadlineExceeded, mesh.Overloaded:
	default:
		r.violation("%s: it fails with %v", step, err)
	}
}

// read gives what a key holds.
func read(ctx context.Context, c *sdk.Client, key int) (seen Seen, err error) {
	name := keyName(key)
	switch kindOf(key) {
	case Register:
		var value int
		value, err = sdk.Register[int](c, name).Get(ctx)
		seen.Values = []int{value}
	case Set:
		seen.Values, err = sdk.ORSet[int](c, name).All(ctx)
		slices.Sort(seen.Values)
	default:
		seen.Count, err = sdk.Counter(c, name).Value(ctx)
	}
	if errors.Is(err, mesh.NotFound) {
		return Seen{Missing: true}, nil
	}
	return seen, err
}

// lookAtAll reads every key through every node after the mesh has settled:
// each read must work, and be fresh.
func (r *run) lookAtAll(ctx context.Context) error {
	for _, node := range r.mesh.Running() {
		through := sdk.Attach(r.mesh.Node(node)).WithState(sdk.StateOptions{ReadQuorum: quorum})
		for key := range keys {
			step := Step{Verb: Get, Key: key, Quorum: quorum, Node: node}
			within, cancel := context.WithTimeout(ctx, callTimeout)
			err := r.look(within, through, step)
			cancel()
			if err != nil {
				r.violation("%s: %v", step, err)
			}
		}
	}
	return ctx.Err()
}
