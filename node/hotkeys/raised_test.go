package hotkeys

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
)

// Nodes that heard the same words hold the same, in whatever order and however often they heard them.
func TestNodesThatHeardTheSameHoldTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	until := time.Unix(100, 0)
	var words []raise
	for i := range 50 {
		stamp := lattice.Stamp{Time: uint64(random.IntN(20)), Node: fmt.Sprint(i)}
		words = append(words, raise{extra: random.IntN(5), stamp: stamp, until: until})
	}
	hear := func() raised {
		r := raised{}
		for range 2 {
			for _, i := range random.Perm(len(words)) {
				r.Merge(named(fmt.Sprint(i%7)), words[i])
			}
		}
		return r
	}
	first := hear()
	for range 20 {
		if again := hear(); !maps.Equal(first, again) {
			t.Fatalf("%v and %v", first, again)
		}
	}
}

func TestAWordEndsWithItsLeaseAndBeforeThatWithALaterOne(t *testing.T) {
	r := raised{}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	stamp := func(n uint64) lattice.Stamp { return lattice.Stamp{Time: n, Node: "n"} }
	r.Merge(named("a"), raise{extra: 2, stamp: stamp(1), until: at(10)})
	r.Merge(named("b"), raise{extra: 1, stamp: stamp(1), until: at(20)})
	r.Merge(named("b"), raise{extra: 0, stamp: stamp(2), until: at(20)})
	r.Merge(named("b"), raise{extra: 1, stamp: stamp(1), until: at(20)}) // it was overtaken
	if got := fmt.Sprint(r.Extra()); got != "map[default/a:2]" {
		t.Errorf("raised: %s", got)
	}
	if r.Expire(at(9)); len(r) != 2 {
		t.Errorf("before any lease ends: %v", r)
	}
	if r.Expire(at(10)); len(r) != 1 {
		t.Errorf("after the first lease: %v", r)
	}
	if r.Expire(at(20)); len(r) != 0 {
		t.Errorf("after all leases: %v", r)
	}
}
