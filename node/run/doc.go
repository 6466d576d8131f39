// Package run coordinates runs and executes their stages. The node that
// takes a call plans it and starts it; from there the results travel from
// node to node as hops, the first to each with the plan, and the coordinator hears
// again only from the sinks. What is lost with a node that dies runs again
// elsewhere, and nothing else; a run always ends, by its deadline at the latest.
//
// A stage runs at least once: it may run again when its node is lost, or thought
// to be. What it does to state has ids that do not depend
// on the attempt (package effects): it is done once, however often it runs.
//
// Two state machines know no I/O, clock or goroutine: the tracker is the
// coordinator's view of a run, the execution is one node's view of the
// stages that it runs. What has to run again is a function of what they know
// (loss). The rest of the package moves messages between them.
//
// A run at mesh.Transactional ends with a commit. Where that conflicts the run
// begins anew as another generation, with nothing of the one before.
//
// The package does not know how a function executes, which node is best for
// it, how messages travel or where results are kept: it declares what it
// needs, and package node hands it over.
package run
