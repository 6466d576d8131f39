// Package metrics tells how a node stands and what it has done: as figures
// for other rooms and nodes, and as Prometheus metrics over HTTP.
//
// What happens often is counted by counters that were looked up beforehand:
// an event costs one atomic addition. All else is asked of the rooms when
// somebody looks. docs/metrics.md lists the metrics.
//
// It is not a place to decide from: nothing in a node depends on it.
package metrics
