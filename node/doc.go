// Package node composes the rooms of Virga into one node: it owns a part of
// the state, caches what its functions use, runs functions, and coordinates
// the runs that it is asked for. A program embeds a node with New and Run;
// the daemon virgad is such a program.
//
// The rooms below it (store, replica, cache, exec, sched, run, catalog) do
// not know one another: each declares what it needs, and this package hands
// it over.
package node
