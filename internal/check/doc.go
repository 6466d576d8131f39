// Package check finds in a history what a level of consistency forbids.
//
// A history is what runs and clients read and wrote, each with the version that
// was read or written. Nothing else is assumed of the system that it comes
// from: which version follows which is told by who had read what before it
// wrote (happened before: Lamport 1978; Ahamad et al., "Causal memory", 1995), and by
// stamps where the versions of a key have them. So what is found is wrong by
// what its users saw, and nothing is found that another order would explain.
//
// Keys hold values of which a write takes the place of those that its writer had
// seen: registers. What sets and counters lose is found by counting.
package check
