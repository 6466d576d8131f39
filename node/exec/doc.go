// Package exec runs functions on a node: native ones as calls in the
// process, those of workers through whatever connects them, and WebAssembly
// modules in warm sandboxes of wazero. It enforces the limits of memory, time
// and concurrency, keeps the inbox of each running invocation, and turns
// everything that a function can do wrong into a typed error.
//
// It does not decide which node runs what, knows no DAG, and holds no state
// of the mesh: functions reach that through the library that the node gives
// with each invocation.
package exec
