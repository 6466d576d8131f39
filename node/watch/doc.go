// Package watch tells clients what changes: each node keeps the last changes
// of its own copies in a Ring, and the node that a client asks gathers them
// from the owners of a key, or from all live nodes for a prefix.
//
// An event tells a key's state after a change, not the change: several
// changes may become one event, and since each owner tells of a change, one
// change may become several. What a watcher was told last of a key is what
// its owners hold. Where changes may have been missed, because a ring no
// longer has them or a node forgot them, the watcher is told that it lags.
//
// No state of a watcher is kept at any node. Where it stands is a place in
// the changes of each node, which it carries as a token, so that it may go on
// through any node. The package does not store anything, and decides nothing
// about who owns a key.
package watch
