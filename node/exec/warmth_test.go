package exec

import (
	"testing"
	"time"
)

// The machine alone, second by second: how many instances a load calls for.
func TestWarmthFollowsUse(t *testing.T) {
	policy := WarmPolicy{}.withDefaults()
	var w warmth
	now := time.Unix(0, 0)
	// second lets so many instances be used at once within a second, and gives how many there are to be after it.
	second := func(used int) int {
		for range used {
			w.begin()
		}
		w.total = max(w.total, w.used)
		for range used {
			w.end()
		}
		now = now.Add(time.Second)
		w.total = w.look(now, policy)
		return w.total
	}
	for _, step := range []struct {
		what    string
		used    int
		seconds int
		want    int
	}{
		{"the first calls: so many that they are 70 % busy", 7, 1, 10},
		{"a step in load is followed at once", 70, 1, 100},
		{"between 10 % and 70 % nothing changes", 11, 600, 100},
		{"below 10 % nothing goes before the grace is over", 5, 30, 100},
		{"then half", 5, 1, 50},
		{"and no more while 10 % are used", 5, 120, 50},
		{"with no call, half after half, down to one", 0, 31 + 5*30, 1},
		{"and none after ten minutes", 0, 600, 0},
		{"it comes back on demand", 1, 1, 2},
	} {
		got := 0
		for range step.seconds {
			got = second(step.used)
		}
		if got != step.want {
			t.Errorf("%s: %d instances, expected %d", step.what, got, step.want)
		}
	}
}

func TestWarmthKeepsItsFloor(t *testing.T) {
	policy := WarmPolicy{Most: 8}.withDefaults()
	w := warmth{floor: 3}
	now := time.Unix(0, 0)
	if got := w.look(now, policy); got != 3 {
		t.Errorf("%d instances, expected the floor of 3", got)
	}
	if got := w.look(now.Add(time.Hour), policy); got != 3 || w.isIdle(now.Add(time.Hour), policy) {
		t.Errorf("an hour later %d instances, expected 3", got)
	}
	w.floor = 20
	if got := w.look(now.Add(time.Hour), policy); got != 8 {
		t.Errorf("%d instances, expected at most 8", got)
	}
}
