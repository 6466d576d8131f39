// Package fn is for the authors of functions: one Go function, of the form
//
//	func(ctx context.Context, in In) (Out, error)
//
// runs unchanged as a native function of a node, in a worker process, and as
// a WebAssembly module. The package gives the function its library (state,
// messages, other functions) through its context, and turns it into the raw
// form that executors run. It holds no connection and no sandbox.
package fn
