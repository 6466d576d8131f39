package lattice_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virga-mesh/virga/lattice"
)

func TestContextAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		c, model := &lattice.CausalContext{}, map[lattice.Dot]bool{}
		for range rng.IntN(40) {
			dot := lattice.Dot{Writer: string(rune('a' + rng.IntN(2))), Seq: 1 + rng.Uint64N(20)}
			if got := c.Add(dot); got == model[dot] {
				t.Fatalf("Add(%s) gave %v", dot, got)
			}
			model[dot] = true
		}
		checkContext(t, c, model)
	}
}

func checkContext(t *testing.T, c *lattice.CausalContext, model map[lattice.Dot]bool) {
	t.Helper()
	dots := slices.Collect(c.Dots())
	if len(dots) != len(model) || c.Count() != uint64(len(model)) || !slices.IsSortedFunc(dots, lattice.Dot.Compare) {
		t.Fatalf("dots %v (count %d), want those of %v", dots, c.Count(), model)
	}
	highest, spans := uint64(0), 0
	for _, writer := range []string{"a", "b"} {
		for seq := uint64(0); seq < 23; seq++ {
			dot := lattice.Dot{Writer: writer, Seq: seq}
			if c.Contains(dot) != model[dot] {
				t.Fatalf("Contains(%s) = %v", dot, c.Contains(dot))
			}
			if model[dot] && writer == "a" {
				highest = seq
			}
			if model[dot] && !model[lattice.Dot{Writer: writer, Seq: seq - 1}] {
				spans++
			}
		}
	}
	if c.Highest("a") != highest || c.Next("a").Seq != highest+1 || c.Spans() != spans {
		t.Fatalf("highest %d, spans %d; want %d, %d", c.Highest("a"), c.Spans(), highest, spans)
	}
}

func TestContextAtItsEnds(t *testing.T) {
	c := lattice.NewCausalContext(lattice.Dot{Writer: "a", Seq: 0})
	if c.Count() != 0 {
		t.Error("a dot with sequence number 0 was counted")
	}
	last := lattice.Dot{Writer: "a", Seq: math.MaxUint64}
	c.Add(last)
	c.Add(lattice.Dot{Writer: "a", Seq: math.MaxUint64 - 1})
	if c.Spans() != 1 || !c.Contains(last) || c.Next("a") != last {
		t.Errorf("%d spans, next %s", c.Spans(), c.Next("a"))
	}
	whole, err := lattice.DecodeCausalContext([]byte("\x01\x01a\x01\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	if err != nil || whole.Count() != math.MaxUint64 {
		t.Fatalf("count %d, %v", whole.Count(), err)
	}
	if whole.Compare(c) != lattice.Greater || whole.Merge(c) {
		t.Error("a context of all dots of a writer is not above another of it")
	}
}
