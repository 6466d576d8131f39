//go:build !wasip1

package worker

import (
	"context"
	"errors"
	"log/slog"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Handle offers f under a name of the client's namespace. How arguments and
// results travel is told at fn.Wrap.
func Handle[In, Out any](name string, f func(context.Context, In) (Out, error)) fn.Function {
	return fn.Function{Name: name, Raw: fn.Wrap(f)}
}

// HandleInit is Handle for a function that needs to be made first, as
// fn.WrapInit says: once in this process.
func HandleInit[In, Out any](name string, construct func(context.Context) (func(context.Context, In) (Out, error), error)) fn.Function {
	return fn.Function{Name: name, Raw: fn.WrapInit(construct)}
}

// Worker serves functions until it is stopped.
type Worker struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

// Start registers the functions over the client's connection, and returns
// when the mesh can call them. They are served until ctx ends or Stop. When
// the connection breaks they are registered again over the next one. The
// client must stay open, and has one worker at a time.
//
// A name that is not valid or used twice is Invalid, a credential that may
// not serve functions Denied.
func Start(ctx context.Context, client *sdk.Client, functions ...fn.Function) (*Worker, error) {
	table, err := newTable(client, functions)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Worker{cancel: cancel, done: make(chan struct{})}
	registered := make(chan struct{}, 1)
	go func() {
		defer close(w.done)
		w.err = client.Offer(ctx, table.refs(), table.invoke, func(node mesh.NodeID) {
			slog.Debug("functions registered", "node", node.Short(), "functions", len(functions))
			select {
			case registered <- struct{}{}:
			default: // it was told the first time
			}
		})
	}()
	select {
	case <-registered:
		return w, nil
	case <-w.done:
		cancel()
		return nil, w.err
	}
}

// Done is closed when the worker serves no more, by itself or by Stop.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Stop ends the serving and waits for it. Invocations under way are
// cancelled. It gives the error that the worker ended with before, if any.
func (w *Worker) Stop() error {
	w.cancel()
	<-w.done
	if errors.Is(w.err, context.Canceled) || errors.Is(w.err, mesh.Cancelled) {
		return nil
	}
	return w.err
}

// Serve is Start and then waiting, for a program that does nothing else. It
// ends with ctx, and then gives nil, or when the mesh refuses the functions.
func Serve(ctx context.Context, client *sdk.Client, functions ...fn.Function) error {
	w, err := Start(ctx, client, functions...)
	if err != nil {
		return err
	}
	<-w.Done()
	return w.Stop()
}
