package soak

import "testing"

func TestAScheduleFollowsFromItsSeed(t *testing.T) {
	if a, b := Generate(7, "").String(), Generate(7, "").String(); a != b {
		t.Errorf("seed 7 gives\n%s\nand\n%s", a, b)
	}
	if Generate(7, "").String() == Generate(8, "").String() {
		t.Error("seeds 7 and 8 give the same schedule")
	}
}

func TestAfterEachRoundAllNodesRunAndHearEachOther(t *testing.T) {
	for seed := range uint64(500) {
		s := Generate(seed, "")
		for i, round := range s.Rounds {
			down, split := map[int]bool{}, false
			for _, step := range round.Nemesis {
				switch step.Verb {
				case Kill, Stop, LosePower:
					down[step.Node] = true
				case Restart:
					delete(down, step.Node)
				case Wipe, WipeStore:
					if !down[step.Node] {
						t.Errorf("seed %d, round %d: node %d is wiped while it runs", seed, i+1, step.Node)
					}
				case Split, Heal:
					split = step.Verb == Split
				}
			}
			if len(down) > 0 || split {
				t.Errorf("seed %d: round %d ends with %d nodes down, split: %v", seed, i+1, len(down), split)
			}
		}
	}
}

func TestEveryFaultIsDrawn(t *testing.T) {
	drawn := map[string]bool{}
	for seed := range uint64(200) {
		for _, round := range Generate(seed, "").Rounds {
			drawn[round.Fault] = true
		}
	}
	for _, f := range faults {
		if !drawn[f.name] {
			t.Errorf("no round in 200 schedules where %s", f.name)
		}
	}
}
