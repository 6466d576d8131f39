// Package session lets the reads of a run see one version of each key,
// wherever its stages are executed: what the run wrote last, else what it read
// first (mesh.Repeatable).
//
// A session has a home, the node that coordinates the run. A node that reads a
// key for a session reads it as ever, keeps what it read, and tells the home
// its version. The home has the last word: where another node was first, it
// says which version the session sees and who holds it. So values move only
// where two nodes have read different versions, parallel stages agree without
// a rule for merging what they saw, and nothing travels with the hops. A write
// replaces the version, once all nodes that hold the one before have
// forgotten it.
//
// What is held dies with the session, that is with its run; on other nodes
// than the home by word of the home, with the home, or at the deadline of the
// run, whichever comes first.
package session
