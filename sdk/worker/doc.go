// Package worker serves functions from a client's process: Go code at hand,
// closures included, becomes callable from the whole mesh for as long as the
// process lives. It is the shortest way to bring a function.
//
//	square := func(ctx context.Context, n int) (int, error) { return n * n, nil }
//	w, err := worker.Start(ctx, client, worker.Handle("square", square))
//
// Functions that must outlive a process, or run next to their state, are
// deployed as WebAssembly modules instead; the same Go function serves for
// both, see Main.
package worker
