package run

import "github.com/virga-mesh/virga/mesh"

// Attempts are numbered by mesh.SplitAttempt. A node that takes a run on again
// begins above all attempts that the run can have had: so those of one node
// grow, and what comes late for one of them is told from the others.

// takenOn is how far apart the attempts begin of those who take a run on.
const takenOn = mesh.MaxGenerations * mesh.GenerationAttempts

// afterAll gives the first attempt for who takes a run on after another, any
// attempt of which is known.
func afterAll(known uint32) uint32 { return (known/takenOn+1)*takenOn + 1 }

// isBefore reports whether an attempt is of an earlier generation than another
// one, or of one who had the run before: it has nothing to do with that one.
func isBefore(attempt, other uint32) bool {
	return attempt/mesh.GenerationAttempts < other/mesh.GenerationAttempts
}
