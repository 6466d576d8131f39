// Package hotkeys finds the keys that are read far more than others, and lets
// more nodes than their owners serve them while that lasts.
//
// Each node counts what it reads as an owner in a bounded top-k that decays,
// and tells the primary of a key, its first owner, how much of it there is. The primary says
// how many extra readers the key is worth, and all nodes hear that: the nodes
// next in XOR order after the owners keep a copy in their caches, fresh by
// push, and reads without a quorum are told of them. What the primary said
// holds for a lease, so that all of it ends by itself.
//
// Reads count, writes do not: one more reader makes a write dearer. Quorum
// reads stay with the owners.
package hotkeys
