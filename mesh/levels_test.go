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
