package nemesis

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheLongestWaitOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaits()
		first := w.begin(Key{Name: "owned"})
		time.Sleep(3 * time.Second)
		since := time.Now()
		time.Sleep(time.Second)
		w.end(first)
		w.begin(Key{Name: "other"})
		time.Sleep(2 * time.Second)
		owned, other := w.longest(since, func(k Key) bool { return k.Name == "owned" })
		if owned != time.Second {
			t.Errorf("the call that began before waited %v within the window: want 1s", owned)
		}
		if other != 2*time.Second {
			t.Errorf("the call under way waited %v: want 2s", other)
		}
	})
}
