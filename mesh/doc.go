// Package mesh is the vocabulary of Virga: keys and their place in the
// Kademlia space, nodes, values, functions, DAGs, runs, acknowledgements and
// errors. Every other room speaks in these words.
//
// It holds no behaviour that needs a clock, a goroutine or I/O, and it
// compiles for every target that Go has, WebAssembly guests included. How
// the words look on the wire is the subject of mesh/wire.
package mesh
