// Package cache holds copies of keys that other nodes own, and keeps them
// fresh: a Cache subscribes to what it reads, and owners push the changes
// within an epoch. A Publisher is the owner's half: it knows who subscribed to
// what, and brings them the deltas.
//
// A copy is never stale for ever. A subscription is a lease: it ends by itself
// unless it is renewed, which reading does. An owner repeats a push until it is
// answered; a subscriber drops what it has from an owner when the connection
// to it ends or when the owner was started anew.
//
// A cache is never the last copy of anything, and takes no writes.
package cache
