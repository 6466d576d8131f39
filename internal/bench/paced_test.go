package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var paceOfTests = Pace{Callers: 2, Every: 10 * time.Millisecond, Timeout: time.Second}

func TestAPauseCountsForAllThatItHoldsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		run := paceOfTests.Start(t.Context(), func(_ context.Context, caller int) error {
			if held := 300*time.Millisecond - time.Since(began); caller == 0 && held > 0 && held < 200*time.Millisecond {
				time.Sleep(held) // from 100 to 300 ms after the start
			}
			return nil
		})
		time.Sleep(97 * time.Millisecond)
		if quiet := run.Window(); quiet.Max() > time.Millisecond || quiet.N() != 20 {
			t.Errorf("before the pause: %d operations of up to %v", quiet.N(), quiet.Max())
		}
		time.Sleep(500 * time.Millisecond)
		held, err := run.Stop()
		if err != nil {
			t.Fatal(err)
		}
		if held.N() < 98 || held.N() > 101 || held.Max() < 180*time.Millisecond {
			t.Errorf("%d operations of up to %v: expected all that were due, and the pause", held.N(), held.Max())
		}
		if slow := held.Percentile(90); slow < 80*time.Millisecond {
			t.Errorf("a fifth of the operations was held up, but the 90th percentile is %v", slow)
		}
	})
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		run := Pace{Callers: 1, Every: time.Second, Timeout: time.Minute}.Start(t.Context(), func(context.Context, int) error {
			if attempts++; attempts <= 3 {
				return errors.New("not yet")
			}
			return nil
		})
		time.Sleep(100 * time.Millisecond)
		sample, err := run.Stop()
		if err != nil || sample.N() != 1 || sample.Failures != 3 || sample.Max() < 3*retryPause {
			t.Errorf("%d operations, %d failures, up to %v, %v", sample.N(), sample.Failures, sample.Max(), err)
		}
	})
}

func TestWhatNeverSucceedsIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		run := paceOfTests.Start(t.Context(), func(context.Context, int) error { return broken })
		time.Sleep(2 * paceOfTests.Timeout)
		if _, err := run.Stop(); !errors.Is(err, broken) {
			t.Errorf("gave %v", err)
		}
	})
}
