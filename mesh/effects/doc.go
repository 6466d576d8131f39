// Package effects names what an execution of a function does to the mesh, so
// that another execution of the same work does the same, and not more: the
// store takes a write with an id that it has for a retry, and a run is
// started once under its id.
//
// The ids follow from the work (a run, a stage, an element of a list) and
// from what is done, and not from the node, the attempt or the time.
//
// It is not for what a client draws ids for: those are random.
package effects
