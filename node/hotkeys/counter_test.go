package hotkeys

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever is read, of each key the counter tells no more than was read and
// misses no key that has more than its share of all reads.
func TestTheCounterNeverTellsTooMuchAndMissesNoFrequentKey(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	zipf := rand.NewZipf(random, 1.2, 1, 5000)
	c := newCounter(64, time.Second)
	exact, total := map[string]float64{}, 0.0
	for range 100_000 {
		name := fmt.Sprint(zipf.Uint64())
		c.Add(named(name), 1)
		exact[name]++
		total++
	}
	for name, reads := range exact {
		s := c.byKey[named(name)]
		switch {
		case s == nil && reads > total/64:
			t.Errorf("key %s was read %v times of %v, and is not counted", name, reads, total)
		case s != nil && (s.count-s.excess > reads || s.count < reads):
			t.Errorf("key %s was read %v times: counted %v to %v", name, reads, s.count-s.excess, s.count)
		}
	}
	if len(c.slots) != 64 || len(c.byKey) != 64 {
		t.Errorf("%d slots, %d keys: expected 64", len(c.slots), len(c.byKey))
	}
}

func TestAnIdleCounterForgetsAll(t *testing.T) {
	c := newCounter(64, time.Second)
	for i := range 1000 {
		c.Add(named(fmt.Sprint(i)), 5)
	}
	c.Decay(time.Minute)
	if len(c.slots) != 0 || len(c.byKey) != 0 {
		t.Errorf("%d slots, %d keys after a minute without a read", len(c.slots), len(c.byKey))
	}
	c.Add(named("k"), 5)
	if got := rates(c.Top()); got != "k 5.00" {
		t.Errorf("after it: %s", got)
	}
}
