// Package session keeps what the reads and writes of a run have in common,
// wherever its stages are executed.
//
// At mesh.Repeatable the run sees one version of each key: what it wrote last,
// else what it read first. The session has a home, the node that coordinates the
// run. A node that reads a key for it reads it as ever, keeps what it read, and
// tells the home its version. The home has the last word: where another node
// was first, it says which version the session sees and who holds it. So values
// move only where two nodes have read different versions, and parallel stages agree
// without a rule for merging what they saw. A write replaces the version, once all
// nodes that are known to hold the one before have forgotten it. What was read and
// written travels with hops and results (Past, Learn), and where no other stage can
// be reading the home is not asked (sight).
//
// At the causal levels each node that executes something of the run has a
// thread: what has to be seen by what is read there, a lattice.Past. It grows by
// what is read, and travels with hops and results (Past, Learn). Nobody is asked.
//
// A run at mesh.Transactional has both, but for the home's last word: how each key
// was first read, of what past, travels with the thread, and the home hears of it
// in the end. It keeps what is written until the commit, which reads again what was
// read of less than the run has seen since. What was read in two versions, or is of
// no one moment, is a conflict, after which the home is asked as at mesh.Repeatable.
//
// What is held dies with the session, that is with its run; on other nodes
// than the home by word of the home, with the home, or at the deadline of the
// run, whichever comes first; a thread when the node has no part in the run any more.
package session
