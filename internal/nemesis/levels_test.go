package nemesis

import (
	"testing"
	"time"
)

func TestLevelsTakeTurns(t *testing.T) {
	for _, c := range []struct {
		now   time.Duration
		level int
		want  time.Duration
	}{
		{0, 0, 4 * time.Second}, // its turn has begun
		{0, 1, time.Second},
		{1500 * time.Millisecond, 1, 3500 * time.Millisecond},
		{1500 * time.Millisecond, 2, 500 * time.Millisecond},
		{7 * time.Second, 3, 4 * time.Second},
		{7 * time.Second, 0, time.Second},
	} {
		if got := untilTurn(c.now, time.Second, c.level, 4); got != c.want {
			t.Errorf("level %d at %v waits %v: want %v", c.level, c.now, got, c.want)
		}
	}
}
