// Package trigger runs functions and DAGs when keys change, and when moments
// come. A trigger is state of the mesh like a function or a DAG; the live node
// closest to its key is its keeper, and fires it. When another node becomes
// that, it goes on from what the store holds of the trigger's progress.
//
// What happened becomes an event, which is written into the progress before
// anything of it runs, by compare-and-set: of two nodes that both take
// themselves for the keeper one does not get that far. An event's run has an
// id that follows from the event, so that who runs it once more finds the run
// that there is.
//
// An event of a change says that a key changed. The key is read when the event
// is run, and runs only if its state is another than the last that was fired:
// that is how changes become one, and how a change of which each owner tells is
// one.
//
// The package does not know how functions run, how changes are watched or
// where state is kept: it declares what it needs, and package node hands it over.
package trigger
