package exec

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheWatchdogEndsWhatRunsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchdog()
		defer w.free()
		ended := func() bool {
			synctest.Wait()
			return w.Err() != nil
		}
		// Calls that end in time, with deadlines that come and go in any order.
		for _, limit := range []time.Duration{time.Minute, time.Second, time.Hour, 2 * time.Second} {
			w.begin(t.Context(), time.Now().Add(limit))
			time.Sleep(limit - time.Millisecond)
			w.finish()
			time.Sleep(time.Minute)
			if ended() {
				t.Fatalf("ended after a call within its limit of %v", limit)
			}
		}
		w.begin(t.Context(), time.Now().Add(time.Hour))
		time.Sleep(time.Hour)
		<-w.Done()
		if !ended() || !errors.Is(w.Err(), context.DeadlineExceeded) {
			t.Errorf("ended with %v", w.Err())
		}
		w.end()
		if !errors.Is(w.Err(), context.DeadlineExceeded) {
			t.Errorf("ended again, with %v", w.Err())
		}
	})
}

func TestTheWatchdogEndsOnDemand(t *testing.T) {
	w := newWatchdog()
	defer w.free()
	w.begin(context.WithValue(t.Context(), t, "value"), time.Now().Add(time.Hour))
	w.end()
	<-w.Done()
	if !errors.Is(w.Err(), context.Canceled) || w.Value(t) != "value" {
		t.Errorf("ended with %v", w.Err())
	}
}
