// Package check finds in a history what a level of consistency forbids.
//
// A history is what runs and clients read and wrote, each with the version that
// was read or written. Nothing else is assumed of the system that it comes
// from: which version follows which is told by who had read what before it
// wrote (happened before: Lamport 1978; Ahamad et al., "Causal memory", 1995), and by
// stamps where the versions of a key have them. So what is found is wrong by
// what its users saw, and nothing is found that another order would explain.
//
// Transactions (mesh.Transactional) are one event in the past of others: who has
// read one of their writes has all of them in its past, and all that they had read (Cerone,
// Bernardi and Gotsman, CONCUR 2015). What a transaction reads is one cut of that, in whatever
// order it reads (Wu et al., SIGMOD 2020). Conclude makes a history of what was
// recorded of them, by how they ended.
//
// Keys hold values of which a write takes the place of those that its writer had
// seen: registers. What sets and counters lose is found by counting.
package check
