package mesh

// The attempts of a run are numbered so that a later one has the larger
// number. The lowest 10 bits of one say how often stages of the run were
// placed, from 1: again where nodes were lost. The next 3 are its generation.
// Those above tell the coordinators apart that took the run on, one after the
// other, and in an InvocationID executions of one attempt.
const (
	// MaxGenerations is how often a run begins at most: once, and anew where
	// what it had read was no longer one moment when it was to commit.
	MaxGenerations = 8
	// GenerationAttempts is how far apart the attempts of two generations are.
	GenerationAttempts = 1 << 10
)

// SplitAttempt gives the generation of an attempt, from 0, and how often
// stages were placed by then, from 1. Generations go on counting that.
func SplitAttempt(attempt uint32) (generation, placed uint32) {
	return attempt / GenerationAttempts % MaxGenerations, attempt % GenerationAttempts
}

// Generation is how often the run began anew before, since what it had read
// was no longer one moment: 0 but for runs at Transactional, and less than MaxGenerations.
func (i InvocationID) Generation() uint32 {
	generation, _ := SplitAttempt(i.Attempt)
	return generation
}
