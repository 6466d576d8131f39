package mesh

import "testing"

func TestLevelsAreReadAsTheyAreWritten(t *testing.T) {
	all := Levels()
	if len(all) != len(levels) {
		t.Errorf("%d levels, want %d", len(all), len(levels))
	}
	for _, level := range all {
		if got, err := ParseConsistency(level.String()); got != level || err != nil || level.Validate() != nil {
			t.Errorf("%v was read as %v, %v; it is valid: %v", level, got, err, level.Validate())
		}
	}
	if _, err := ParseConsistency("strict"); KindOf(err) != Invalid || Consistency(len(all)).Validate() == nil {
		t.Errorf("what is no level is taken for one: %v", err)
	}
}

func TestTwoLevelsTogether(t *testing.T) {
	for _, c := range []struct {
		a, b, want Consistency
	}{
		{Eventual, Repeatable, Repeatable}, {Eventual, CausalCut, CausalCut}, {Repeatable, Repeatable, Repeatable},
		{CausalKey, CausalCut, CausalSession}, {CausalKey, CausalSession, CausalSession}, {CausalKey, CausalKey, CausalKey},
		{CausalKey, Repeatable, Transactional}, {Repeatable, CausalSession, Transactional},
		{Transactional, Eventual, Transactional}, {Transactional, CausalCut, Transactional}, {Repeatable, Transactional, Transactional},
	} {
		for range 2 {
			if got := c.a.With(c.b); got != c.want {
				t.Errorf("%v with %v is %v: want %v", c.a, c.b, got, c.want)
			}
			c.a, c.b = c.b, c.a
		}
	}
}
