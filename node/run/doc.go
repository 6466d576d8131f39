// Package run coordinates runs and executes their stages. The node that
// takes a call plans it and starts it; from there the results travel from
// node to node as hops, each with the whole plan, and the coordinator hears
// again only from the sinks. A node that dies makes the coordinator plan
// again and start again; a run always ends, by its deadline at the latest.
//
// A stage runs at least once: a run that was started again may have run some
// of its stages twice, and what they wrote in between stays.
//
// Two state machines know no I/O, clock or goroutine: the tracker is the
// coordinator's view of a run, the execution is one node's view of the
// stages that it runs. The rest of the package moves messages between them.
//
// The package does not know how a function executes, which node is best for
// it, how messages travel or where results are kept: it declares what it
// needs, and package node hands it over.
package run
