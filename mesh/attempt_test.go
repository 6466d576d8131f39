package mesh

import "testing"

func TestAnAttemptTellsItsGeneration(t *testing.T) {
	const retried, taken = 3 << 20, 5 * MaxGenerations * GenerationAttempts
	for _, c := range []struct{ attempt, generation, placed uint32 }{
		{1, 0, 1},
		{1000, 0, 1000},
		{GenerationAttempts + 1, 1, 1},
		{7*GenerationAttempts + 3, 7, 3},
		{taken + 2, 0, 2},
		{taken + 7*GenerationAttempts + 2 + retried, 7, 2},
	} {
		generation, placed := SplitAttempt(c.attempt)
		if generation != c.generation || placed != c.placed {
			t.Errorf("attempt %d is number %d of generation %d: expected number %d of %d", c.attempt, placed, generation, c.placed, c.generation)
		}
		if got := (InvocationID{Attempt: c.attempt}).Generation(); got != c.generation {
			t.Errorf("an invocation in attempt %d is of generation %d: expected %d", c.attempt, got, c.generation)
		}
	}
}
