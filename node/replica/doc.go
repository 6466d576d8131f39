// Package replica decides which nodes get a write, when it is answered, and
// where a read goes. A put is applied at one owner of its key, which sends
// the delta to all other owners at once and answers when W of them hold it.
// An owner that did not acknowledge is owed the delta, durably, until it does.
//
// The decisions are taken by state machines without I/O, clock or goroutine
// (write, deliveries); around them a thin driver makes the calls.
//
// It does not know how bytes are stored (node/store), how nodes are found
// (dht) or how frames travel (mesh/link): see Local, Placement and Peers.
package replica
