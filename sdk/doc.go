// Package sdk is for programs that use a mesh: they call functions and DAGs,
// read and change state, deploy code. Dial connects to nodes over QUIC;
// Attach uses a node in the same process, with nothing encoded in between.
//
//	client, err := sdk.Dial(ctx, sdk.Config{ContextDir: ".virga"})
//	...
//	defer client.Close()
//	four, err := sdk.Func[int, int](client, "square").Call(ctx, 2)
//
// Every call takes a context first. A context without a deadline gets
// DefaultTimeout, so that nothing waits for ever. Errors are *mesh.Error:
// errors.Is(err, mesh.NotFound) asks for a kind.
//
// The package holds no state of its own and runs no functions: package
// sdk/fn is for their authors, sdk/worker serves them from a client's process.
package sdk
