package soak

import (
	"fmt"
	"strings"
)

// Schedule is what befalls one mesh. It follows from its seed.
type Schedule struct {
	Seed   uint64
	Nodes  int // at the start
	Rounds []Round
}

// Round is a fault under load, after which the mesh settles.
type Round struct {
	Fault   string
	Nemesis []Step
	Clients [][]Step
}

// Prefix is the schedule with its first rounds only.
func (s Schedule) Prefix(rounds int) Schedule {
	if rounds > 0 && rounds < len(s.Rounds) {
		s.Rounds = s.Rounds[:rounds]
	}
	return s
}

// String prints the whole schedule.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d nodes\n", s.Seed, s.Nodes)
	for i, round := range s.Rounds {
		fmt.Fprintf(&b, "round %d: %s\n", i+1, round.Fault)
		printSteps(&b, "nemesis", round.Nemesis)
		for client, steps := range round.Clients {
			printSteps(&b, fmt.Sprint("client ", client), steps)
		}
	}
	return b.String()
}

func printSteps(b *strings.Builder, who string, steps []Step) {
	for _, step := range steps {
		fmt.Fprintf(b, "  %-9s %s\n", who, step)
	}
}
