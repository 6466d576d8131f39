// Package sched decides which node runs each stage of a run. It is a pure
// function of the stages, of what is known of the nodes and of a random
// source that the caller seeds, so that every plan can be made again and
// explained.
//
// It does not gather what it decides by, send anything or notice that a node
// died: package node hands it a snapshot, and node/run acts on the plan.
package sched
