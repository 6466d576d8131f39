// Package store keeps this node's copies of keys: a bounded tier of decoded
// cells in memory over Pebble, a log-structured store on disk. A put is a
// merge of a delta, and costs the delta. The store says how safe a write is
// when it returns, and never says so wrongly: after the first write or sync
// that fails it stops for good (Failed).
//
// It also keeps hints: the deltas that this node owes to owners that did not
// acknowledge them.
//
// It knows no other node, no connection and no placement: which nodes get a
// write is the subject of node/replica.
package store
