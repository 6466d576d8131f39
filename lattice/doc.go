// Package lattice is the state of Virga: values that merge. Merging is
// associative, commutative and idempotent, so that replicas that have seen
// the same writes hold the same value, in whatever order and however often
// the writes arrived.
//
// The package has two faces. The static types (Max, Set, LWW, ORSet, ...) are
// for Go programs that know their types. Value holds any of them under a Kind
// and is what a store keeps and a wire carries; Op is what a client asks for,
// Apply turns it into a delta, and Cell adds deletion. A delta is itself a
// value of the lattice: small, and merged like any other.
//
// Encodings are canonical: equal values have equal bytes, and bytes that are
// not canonical are refused. Decoding allocates at most a constant times the
// length of its input and never panics.
//
// There is no goroutine, clock, lock or I/O here. A value that is merged into
// must not be used by others at the same time; who shares one, locks or clones.
package lattice
